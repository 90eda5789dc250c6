"""Numbers to figures: arrays and names in, HTML or Plotly figures out; no screen, no network."""

from emoviz.plots.bars import percent, probability_bars, sentiment_bar, shares_strip

__all__ = ["percent", "probability_bars", "sentiment_bar", "shares_strip"]

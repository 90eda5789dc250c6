"""The style sheet of what ``plots`` and ``cards`` write; the theme itself is in config.toml.

Colours are the text's own, thinned, so that both themes are served; the app sets
``color-scheme``, which ``light-dark()`` follows.
"""

CSS = """
[data-testid=stCaptionContainer], [data-testid=stCaptionContainer] :is(p, code) {
  color: light-dark(#5c5850, #b9b4aa) !important; opacity: 1 !important; }
[data-testid=stMain] button[data-selected=true] p, [data-testid=stSliderThumbValue] p {
  color: light-dark(#4b4377, #bdb4ee) !important; }
.ev-wrap { container-type: inline-size; }
.ev-grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 13.5rem), 1fr));
  gap: 1.1rem; list-style: none; margin: 0; padding: 0 !important; }
.ev-cell { margin: 0; min-height: 18rem; display: flex; }
.ev-card, .ev-single { color: inherit; font-size: .9rem; line-height: 1.45; }
.ev-card { position: static; inset: auto; display: flex; flex-direction: column; width: 100%;
  height: auto; margin: 0; padding: 0; overflow: hidden; border-radius: 10px;
  border: 1px solid light-dark(#e3ddd1, #37332d); background: light-dark(#fff, #201e1b); }
.ev-picture { display: block; width: 100%; padding: 0; border: 0; margin: 0; font: inherit;
  color: inherit; background: light-dark(#efebe2, #12110f); }
button.ev-picture { cursor: zoom-in; }
.ev-card .ev-picture img { display: block; width: 100%; height: 12.5rem; object-fit: contain; }
.ev-card button:focus-visible { outline: 3px solid light-dark(#4b4377, #bdb4ee);
  outline-offset: -3px; }
.ev-body { display: flex; flex-direction: column; gap: .55rem; padding: .8rem .95rem .3rem;
  flex: 1; min-width: 0; }
.ev-body p, .ev-body h3 { margin: 0; padding: 0; font-size: inherit; letter-spacing: 0; }
.ev-body h3.ev-name { font-weight: 600; line-height: 1.3; overflow-wrap: anywhere;
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; }
.ev-sentence { text-wrap: pretty; }
.ev-affect { margin: .6rem 0 0; max-width: 15rem; }
.ev-plane { position: relative; width: 11rem; height: 11rem; margin-bottom: .6rem;
  border: 1px solid color-mix(in srgb, currentColor 35%, transparent);
  background: linear-gradient(currentColor, currentColor) 50% 0 / 1px 100% no-repeat,
    linear-gradient(currentColor, currentColor) 0 50% / 100% 1px no-repeat;
  background-blend-mode: normal; font-size: .72rem; }
.ev-plane-box { position: absolute; border-radius: 3px;
  background: color-mix(in srgb, currentColor 16%, transparent); }
.ev-plane-dot { position: absolute; width: 10px; height: 10px; margin: -5px 0 0 -5px;
  border-radius: 50%; background: #be4472; border: 1px solid currentColor; }
.ev-plane span { position: absolute; opacity: .8; }
.ev-plane-top, .ev-plane-bottom { left: calc(50% + .3rem); }
.ev-plane-top { top: .1rem; }
.ev-plane-bottom { bottom: .1rem; }
.ev-plane-left { left: .2rem; top: calc(50% + .1rem); }
.ev-plane-right { right: .2rem; top: calc(50% + .1rem); }
.ev-affect figcaption { font-size: .85rem; opacity: .85; }
.ev-card .ev-sentence { min-height: 2.9em; }
.ev-notes { display: flex; flex-direction: column; gap: .3rem; font-size: .83rem;
  color: color-mix(in srgb, currentColor 78%, transparent); }
.ev-notes p { overflow-wrap: anywhere; }
.ev-notes:empty { display: none; }
.ev-bars { display: flex; flex-direction: column; gap: .3rem; }
.ev-bar { display: grid; grid-template-columns: 6.4em minmax(2rem, 1fr) 2.9em; align-items: center;
  gap: .55rem; }
.ev-card .ev-bar { grid-template-columns: 5.6em minmax(2rem, 1fr) 2.7em; gap: .4rem; }
.ev-what { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.ev-number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.ev-track { height: .62rem; border-radius: .31rem; overflow: hidden;
  background: color-mix(in srgb, currentColor 9%, transparent); }
.ev-fill { display: block; height: 100%; min-width: 2px; border-radius: .31rem;
  box-shadow: inset 0 0 0 1px light-dark(rgb(0 0 0 / .16), rgb(255 255 255 / .3)); }
.ev-strip { display: flex; gap: 2px; height: 1.1rem; border-radius: .35rem; overflow: hidden; }
.ev-strip > span { min-width: 3px;
  box-shadow: inset 0 0 0 1px light-dark(rgb(0 0 0 / .14), rgb(255 255 255 / .22)); }
.ev-strip.ev-thin { height: .38rem; border-radius: .19rem; }
.ev-ends { display: flex; justify-content: space-between; font-size: .8rem; margin-top: .2rem;
  color: color-mix(in srgb, currentColor 78%, transparent);
  font-variant-numeric: tabular-nums; }
.ev-legend { display: flex; flex-wrap: wrap; gap: .25rem .95rem; list-style: none;
  margin: .55rem 0 0; padding: 0 !important; font-size: .86rem; }
.ev-legend li { display: flex; align-items: center; margin: 0; }
.ev-legend b { margin-left: .4rem; }
.ev-dot { display: inline-block; width: .72rem; height: .72rem; border-radius: 50%; flex: none;
  margin-right: .45rem;
  box-shadow: inset 0 0 0 1px light-dark(rgb(0 0 0 / .16), rgb(255 255 255 / .3)); }
.ev-tags { display: flex; flex-wrap: wrap; gap: .3rem; list-style: none; margin: 0;
  padding: 0 !important; }
.ev-tag { margin: 0; padding: .05rem .55rem; border-radius: 1rem; font-size: .78rem;
  border: 1px solid color-mix(in srgb, currentColor 35%, transparent); }
.ev-tag.ev-unlike { background: light-dark(#f6ead0, #4a3a17); border-color: transparent; }
.ev-tag.ev-abstains { background: light-dark(#e4e8ec, #333b44); border-color: transparent; }
.ev-tag.ev-mixed { background: light-dark(#e9e5f6, #35304f); border-color: transparent; }
.ev-more { font: inherit; font-size: .83rem; color: light-dark(#4b4377, #bdb4ee); border: 0;
  background: none; padding: .45rem .95rem .75rem; text-align: left; text-decoration: underline;
  cursor: pointer; text-underline-offset: 2px; }
.ev-shut, .ev-card .ev-rest { display: none; }
.ev-shut button { font: inherit; font-size: .9rem; color: inherit; background: none;
  padding: .3rem .9rem; border-radius: 8px; cursor: pointer;
  border: 1px solid color-mix(in srgb, currentColor 28%, transparent); }
.ev-shut button:hover { background: color-mix(in srgb, currentColor 7%, transparent); }
.ev-missing { display: grid; place-items: center; height: 12.5rem; opacity: .6; }

.ev-card:popover-open { position: fixed; inset: 0; margin: auto; display: grid; font-size: 1rem;
  grid-template-columns: minmax(0, 3fr) minmax(19rem, 2fr); grid-template-rows: auto 1fr;
  width: min(72rem, 94vw); height: fit-content; max-height: 94vh; overflow: auto;
  box-shadow: 0 1rem 4rem rgb(0 0 0 / .35); }
.ev-card:popover-open .ev-picture { grid-row: 1 / 3; cursor: zoom-out; display: grid;
  align-items: center; }
.ev-card:popover-open .ev-picture img { height: auto; max-height: 92vh; }
.ev-card:popover-open .ev-body { padding: .6rem 1.6rem 1.5rem; gap: .9rem; grid-row: 2; }
.ev-card:popover-open .ev-name { -webkit-line-clamp: 6; font-size: 1.15rem; }
.ev-card:popover-open .ev-rest { display: revert; }
.ev-card:popover-open .ev-bar { display: grid; gap: .6rem;
  grid-template-columns: 7em minmax(2rem, 1fr) 2.9em; }
.ev-card:popover-open .ev-more { display: none; }
.ev-card:popover-open .ev-shut { display: flex; justify-content: end; padding: 1rem 1.6rem 0;
  grid-area: 1 / 2; } /* on the screen, however long the card */
.ev-card::backdrop { background: rgb(24 22 18 / .62); }

.ev-single { display: grid; grid-template-columns: minmax(0, 3fr) minmax(18rem, 2fr); gap: 2rem;
  font-size: 1rem; align-items: start; }
.ev-single .ev-picture { border-radius: 10px; overflow: hidden; display: grid;
  place-items: center; }
.ev-single .ev-picture img { display: block; max-width: 100%; width: 100%; max-height: 70vh;
  object-fit: contain; }
.ev-single .ev-body { padding: 0; gap: 1rem; }
.ev-single .ev-name { font-size: 1.2rem; -webkit-line-clamp: 4; }
.ev-single .ev-sentence { font-size: 1.08rem; }
.ev-single .ev-notes { font-size: .9rem; }
@container (max-width: 46rem) { .ev-single { grid-template-columns: 1fr; gap: 1.2rem; } }
@media (max-width: 48rem) {
  .ev-card:popover-open { grid-template-columns: 1fr; grid-template-rows: auto; }
  .ev-card:popover-open :is(.ev-picture, .ev-body, .ev-shut) { grid-area: auto; }
  .ev-card:popover-open .ev-picture img { max-height: 55vh; }
}

.ev-large { display: block; width: 100%; max-height: 24rem; object-fit: contain;
  border-radius: 8px; background: light-dark(#efebe2, #12110f); }

.ev-refused { list-style: none; margin: 0; padding: 0 !important; max-height: 22rem;
  overflow: auto; }
.ev-refused li { display: grid; grid-template-columns: minmax(8rem, 2fr) 3fr; gap: 1rem; margin: 0;
  padding: .4rem 0; border-top: 1px solid color-mix(in srgb, currentColor 12%, transparent); }
.ev-refused li:first-child { border-top: 0; }
.ev-refused b { font-weight: 600; overflow-wrap: anywhere; }
.ev-quiet { font-size: .875rem; line-height: 1.45; margin: 0;
  color: color-mix(in srgb, currentColor 82%, transparent); }

.ev-guide p { margin: 0 0 .6rem; }

.ev-facts { font-size: .95rem; line-height: 1.5; }
.ev-facts :is(h2, h3) { font-size: 1.05rem; padding: 0; margin: 1.4rem 0 .35rem; }
.ev-facts p { margin: 0 0 .5rem; max-width: 46rem; overflow-wrap: anywhere; }
.ev-facts .ev-lead { font-size: 1.05rem; }
.ev-facts table { border-collapse: collapse; margin: .2rem 0 .6rem; max-width: 100%; }
.ev-facts th, .ev-facts td { text-align: left; vertical-align: top; font-weight: 400;
  padding: .25rem 1.2rem .25rem 0; overflow-wrap: anywhere;
  border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent); }
.ev-facts th { color: color-mix(in srgb, currentColor 75%, transparent); white-space: nowrap; }
.ev-facts thead td, .ev-facts tbody tr:last-child > * { border-bottom-width: 0; }
.ev-facts thead > tr > * { border-bottom-width: 1px; }
.ev-facts summary { cursor: pointer; }
.ev-facts a { color: inherit; }
.st-key-artwork-large img { max-height: 74vh; width: auto; }
.ev-facts td.ev-value { font-variant-numeric: tabular-nums; }
.ev-facts details { margin: .3rem 0; }
.ev-facts .ev-wide { overflow-x: auto; }

.ev-tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr));
  gap: .8rem; list-style: none; margin: .2rem 0 .4rem; padding: 0 !important; }
.ev-tiles li { display: flex; flex-direction: column; gap: .15rem; margin: 0; padding: .7rem .9rem;
  border-radius: 10px; border: 1px solid light-dark(#e3ddd1, #37332d);
  background: light-dark(#fff, #201e1b); }
.ev-tile-name { font-size: .83rem; line-height: 1.3; min-height: 2.6em;
  color: color-mix(in srgb, currentColor 82%, transparent); }
.ev-less { display: block; font-size: .75rem; opacity: .85; }
.ev-tile-value { font-size: 1.55rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.ev-tile-under { font-size: .8rem; min-height: 1.2em; font-variant-numeric: tabular-nums;
  color: color-mix(in srgb, currentColor 78%, transparent); }
.ev-rail { position: relative; display: block; height: .4rem; border-radius: .2rem;
  margin: .15rem 0;
  background: color-mix(in srgb, currentColor 10%, transparent); }
.ev-rail i { position: absolute; top: 0; bottom: 0; border-radius: .2rem; }
.ev-span { background: light-dark(#b3abd9, #5d5396); }
.ev-mark { width: 3px; margin-left: -1.5px; top: -.15rem !important; bottom: -.15rem !important;
  background: light-dark(#4b4377, #d9d3f5); }

.ev-wide { overflow-x: auto; }
.ev-scores { border-collapse: collapse; width: 100%; max-width: 60rem; font-size: .9rem;
  font-variant-numeric: tabular-nums; }
.ev-scores th, .ev-scores td { text-align: left; font-weight: 400; padding: .34rem .9rem .34rem 0;
  border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent); }
.ev-scores thead th { font-size: .83rem;
  color: color-mix(in srgb, currentColor 78%, transparent); }
.ev-score { display: flex; align-items: center; gap: .55rem; white-space: nowrap; }
.ev-score .ev-track { flex: 1; min-width: 1.5rem; max-width: 9rem; }
.ev-score .ev-fill { background: light-dark(#4b4377, #8a7fd0); }

.ev-dot:is(.ev-mend, .ev-look) { border: 2px solid light-dark(#b3541e, #e08a4f); }
.ev-dot.ev-mend { background: light-dark(#b3541e, #e08a4f); }
.ev-found td.ev-value { white-space: nowrap; }
.ev-found tbody th { white-space: normal; min-width: min(14rem, 20vw); }

.ev-heat { border-collapse: separate; border-spacing: 1px; font-size: .85rem;
  font-variant-numeric: tabular-nums; }
.ev-heat caption, .ev-tree figcaption { caption-side: top; text-align: left; font-weight: 600;
  color: inherit; font-size: .95rem; padding: 0 0 .4rem; }
.ev-heat caption:empty { display: none; }
.ev-heat :is(th, td) { font-weight: 400; border: 0; padding: .2rem .45rem; text-align: center; }
.ev-heat tbody th { text-align: right; white-space: nowrap; }
.ev-heat thead th { vertical-align: bottom; }
.ev-heat thead th span { writing-mode: vertical-rl; transform: rotate(200deg); white-space: nowrap;
  max-height: 11rem; overflow: hidden; text-overflow: ellipsis; }
.ev-heat tbody td { min-width: 3.2rem; height: 2.4rem; border-radius: 3px; }
@media (max-width: 60rem) { /* eight classes fit beside the sidebar */
  .ev-heat :is(th, td) { padding: .2rem; }
  .ev-heat tbody td { min-width: 2.4rem; } }
.ev-heat td.ev-short { outline: 3px solid #d1495b; outline-offset: -3px; }
.ev-tree { margin: 0; max-width: 44rem; font-size: .9rem; }
.ev-tree > div { position: relative; }
.ev-tree ul { list-style: none; margin: 0; padding: 0 !important; }
.ev-tree li { display: flex; align-items: center; justify-content: flex-end; gap: .5rem; margin: 0;
  width: 9.35rem; height: 2rem; }
.ev-tree li span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.ev-tree li .ev-dot { margin: 0; position: relative; z-index: 1; }
.ev-joints { position: absolute; inset: 0 .3rem 0 9rem; }
.ev-joints :is(i, b) { position: absolute; box-sizing: content-box; }
.ev-joints i { border-top: 2px solid #8a8f98; margin-top: -1px; }
.ev-joints b { width: 2px; margin-left: -1px; background: #8a8f98; }
.ev-joints b:hover { outline: 3px solid color-mix(in srgb, #8a8f98 40%, transparent); }
.ev-tree p { display: flex; justify-content: space-between; margin: .2rem .3rem 0 9rem;
  font-size: .8rem; color: color-mix(in srgb, currentColor 80%, transparent);
  border-top: 1px solid color-mix(in srgb, currentColor 30%, transparent); }
.ev-spots { list-style: none; margin: 0; padding: 0 !important; }
.ev-spots li, .ev-spots-axis { display: grid; gap: .8rem; align-items: center; margin: 0;
  grid-template-columns: minmax(5rem, 2fr) minmax(7rem, 3fr) 4em; padding: .25rem 0; }
.ev-spots .ev-what { text-align: right; white-space: normal; overflow-wrap: anywhere; }
.ev-range { position: relative; align-self: stretch; min-height: 1.2rem; }
.ev-range > i { position: absolute; }
.ev-zero { top: -.3rem; bottom: -.3rem;
  border-left: 1px dashed color-mix(in srgb, currentColor 55%, transparent); }
.ev-whisker { top: calc(50% - .28rem); height: .56rem; border: solid
  color-mix(in srgb, currentColor 60%, transparent); border-width: 0 1.5px; background:
  linear-gradient(color-mix(in srgb, currentColor 60%, transparent) 0 0) center / 100% 1.5px
  no-repeat; }
.ev-spot { top: calc(50% - .34rem); width: .68rem; height: .68rem; margin-left: -.34rem;
  border-radius: 50%; }
.ev-spots-axis .ev-ends { grid-column: 2; margin: 0; padding-top: .2rem;
  gap: .4rem; text-align: center;
  border-top: 1px solid color-mix(in srgb, currentColor 30%, transparent); }
.ev-ends i { font-style: normal; white-space: nowrap; }
.ev-groups { list-style: none; margin: 0; padding: 0 !important; }
.ev-groups li { display: grid; grid-template-columns: minmax(6rem, 14rem) minmax(8rem, 1fr);
  gap: .8rem; align-items: center; margin: 0 0 .3rem; font-size: .9rem; }
.ev-groups li > span { overflow-wrap: anywhere; text-align: right; }

.st-key-drop-zones section { border-style: dashed; }
@media print { .ev-more { display: none; } .ev-card { break-inside: avoid; } }
"""
SHEET = f"<style>{CSS}</style>"

"""How much is tried: a little with all tests, as much as one likes by ``scripts/fuzz``."""

import os

from hypothesis import HealthCheck, settings

# Times as many examples as in CI. Nothing is kept between runs: what was found becomes a test.
TIMES = int(os.environ.get("FUZZ_TIMES", "1"))
settings.register_profile(
    "fuzz",
    deadline=None,  # processor time is watched instead: `bounds.only_told`
    database=None,
    derandomize=TIMES == 1,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
settings.load_profile("fuzz")

"""Small simulated markets and studies of them, shared by the tests of the event study."""

from datetime import date

import numpy as np

from hpi_bt.sources.demo import DemoSource, simulate
from hpi_bt.stats.events import event_study


def market(seed, *, sessions=30, bar="15min", edge=0.0, start=date(2024, 11, 15)):
    """Demo bars with two half days among them, and the session of each bar."""
    settings_ = DemoSource(sessions=sessions, bar=bar, seed=seed, edge=edge, start=start)
    frame = simulate(settings_).frame
    return frame, np.unique(frame.index.date, return_inverse=True)[1]


def sprinkled(seed, n, share=0.1):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(n) < share, rng.choice([-1.0, 1.0], n), 0.0)


def study(frame, session, signal, **options):
    options = {"stamps": frame.index, "horizons": (1, 4), "permutations": 99} | options
    return event_study(frame["open"], frame["close"], signal, session, **options)

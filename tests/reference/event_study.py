"""Definitions 9, the event study: forward returns, clustered t, permuted sessions, by loops.

A bar is a dict with open, close, signal, session and minutes (from the session's open to its close,
or None). Written from the definitions alone; `None` stands for "does not exist".
"""

from __future__ import annotations

from math import floor, sqrt


def forward(bars, t, horizon, daily):
    """close[t+h]/open[t+1] - 1 within the session (daily: within the data), else None."""
    if horizon == "close":
        same = [u for u in range(len(bars)) if bars[u]["session"] == bars[t]["session"]]
        end = max(same)
    else:
        end = t + horizon
    if t + 1 >= len(bars) or end >= len(bars) or end < t + 1:
        return None
    if not daily and bars[end]["session"] != bars[t]["session"]:
        return None
    return bars[end]["close"] / bars[t + 1]["open"] - 1.0


def is_daily(bars):
    return len({bar["session"] for bar in bars}) == len(bars)


def bucket(bar, bar_minutes, width, daily):
    if daily or bar["minutes"] is None:
        return 0
    return floor((bar["minutes"] - bar_minutes) / width)


def abnormal(bars, horizon, bar_minutes, width):
    """Forward return minus its mean over all bars of the same bucket, one value per bar."""
    daily = is_daily(bars)
    raw = [forward(bars, t, horizon, daily) for t in range(len(bars))]
    own = [bucket(bar, bar_minutes, width, daily) for bar in bars]
    out = []
    for t, value in enumerate(raw):
        alike = [raw[u] for u in range(len(bars)) if own[u] == own[t] and raw[u] is not None]
        out.append(None if value is None else value - sum(alike) / len(alike))
    return raw, out


def places(bars):
    """(cluster, place in the cluster) of every bar: session and minutes, or 21-bar blocks."""
    if is_daily(bars):
        return [(t // 21, t % 21) for t in range(len(bars))]
    out, sessions = [], sorted({bar["session"] for bar in bars})
    for t, bar in enumerate(bars):
        number = sum(other["session"] == bar["session"] for other in bars[:t])
        where = number if bar["minutes"] is None else bar["minutes"]
        out.append((sessions.index(bar["session"]), where))
    return out


def clustered(parts):
    """Effect and its standard error from [(cluster, value, weight)], values weighted already."""
    n = sum(weight for _, _, weight in parts)
    effect = sum(value for _, value, _ in parts) / n
    total = 0.0
    for cluster in {c for c, _, _ in parts}:
        inside = [(value, weight) for c, value, weight in parts if c == cluster]
        total += sum(value - effect * weight for value, weight in inside) ** 2
    return effect, sqrt(total) / n


def moves(bars):
    """{(bar, kind): move less its mean}: 0 from the bar's own open, 1 from the close before."""
    raw = {(t, 0): bar["close"] / bar["open"] - 1.0 for t, bar in enumerate(bars)}
    raw |= {(t, 1): bars[t]["close"] / bars[t - 1]["close"] - 1.0 for t in range(1, len(bars))}
    out = {}
    for kind in (0, 1):
        own = {key: value for key, value in raw.items() if key[1] == kind}
        out |= {key: value - sum(own.values()) / len(own) for key, value in own.items()}
    return out


def running(bars, values, direction, horizon):
    """{(bar, kind): how many events run through that move}."""
    out = {}
    for t, bar in enumerate(bars):
        if bar["signal"] == direction and values[t] is not None:
            for ahead in range(1, horizon + 1):
                key = (t + ahead, 0 if ahead == 1 else 1)
                out[key] = out.get(key, 0) + 1
    return out


def moves_after(where, moved, runs, direction, horizon, order):
    """[(block, direction x moves, weight)] when block d shows the pattern of block order[d]."""
    at = {place: t for t, place in enumerate(where)}
    out = []
    for (t, kind), count in runs.items():
        giver, place = where[t]
        receiver = order.index(giver)
        landed = (at.get((receiver, place)), kind)
        if landed in moved:
            out.append((receiver, direction * count * moved[landed], count / horizon))
    return out


def move_shares(bars, values, direction, horizon):
    """{block: what it put into the means that were taken off the moves}."""
    where, moved = places(bars), moves(bars)
    shares = {block: 0.0 for block, _ in where}
    for kind in (0, 1):
        own = {t: value for (t, k), value in moved.items() if k == kind}
        runs = running(bars, values, direction, horizon)
        weight = sum(count for (t, k), count in runs.items() if k == kind and t in own)
        for t, value in own.items():
            shares[where[t][0]] += weight / len(own) * value
    return shares


def baseline_shares(bars, values, own_buckets, direction):
    """{cluster: what it put into the baselines of the events}."""
    where = places(bars)
    known = [t for t in range(len(bars)) if values[t] is not None]
    shares = {cluster: 0.0 for cluster, _ in where}
    for bucket_ in set(own_buckets):
        alike = [t for t in known if own_buckets[t] == bucket_]
        events = sum(bars[t]["signal"] == direction for t in alike)
        for t in alike:
            shares[where[t][0]] += events / len(alike) * values[t]
    return shares


def whole_error(parts, events, shares):
    """The effect's error, the baselines' own noise and its covariance with the events in it.

    `shares` is what each cluster put into the baselines of `events` events.
    """
    n = sum(weight for _, _, weight in parts)
    effect = sum(value for _, value, _ in parts) / n
    total = 0.0
    for cluster, share in shares.items():
        inside = [(value, weight) for c, value, weight in parts if c == cluster]
        left = sum(value - effect * weight for value, weight in inside)
        total += (left - n / events * share) ** 2
    return sqrt(total) / n


def whole_t(parts, events, shares):
    """The effect over that error."""
    return clustered(parts)[0] / whole_error(parts, events, shares)


def events_after(bars, values, direction, order):
    """[(cluster, direction x abnormal, 1)] when cluster d shows the pattern of cluster order[d]."""
    where = places(bars)
    at = {place: t for t, place in enumerate(where)}
    out = []
    for receiver, giver in enumerate(order):
        for t, (cluster, place) in enumerate(where):
            if cluster != giver or bars[t]["signal"] != direction:
                continue
            landed = at.get((receiver, place))
            if landed is not None and values[landed] is not None:
                out.append((receiver, direction * values[landed], 1))
    return out


def cell(bars, direction, horizon, orders, *, bar_minutes=1.0, width=30.0):
    """The row of one direction and horizon; `orders` are the permutations, identity not among them.

    Returns n, mean, median, hit_rate, effect, se, t, p, span (what an effect must exceed to be
    found), some (clusters with events), and every cluster's counts and sums less its share in
    the baselines.
    """
    raw, values = abnormal(bars, horizon, bar_minutes, width)
    where = places(bars)
    clusters = 1 + max(c for c, _ in where)
    here = [t for t, bar in enumerate(bars) if bar["signal"] == direction and raw[t] is not None]
    earned = sorted(direction * raw[t] for t in here)
    n = len(earned)
    middle = (earned[(n - 1) // 2] + earned[n // 2]) / 2
    identity = list(range(clusters))
    if is_daily(bars):
        pattern = (where, moves(bars), running(bars, values, direction, horizon))
        own = moves_after(*pattern, direction, horizon, identity)
        others = [moves_after(*pattern, direction, horizon, order) for order in orders]
        shares = move_shares(bars, values, direction, horizon)
    else:
        own = events_after(bars, values, direction, identity)
        others = [events_after(bars, values, direction, order) for order in orders]
        own_buckets = [bucket(bar, bar_minutes, width, False) for bar in bars]
        shares = baseline_shares(bars, values, own_buckets, direction)
    shares = {c: direction * share for c, share in shares.items()}
    events = sum(weight for _, _, weight in own)
    t = whole_t(own, events, shares)
    sizes = sorted(abs(whole_t(other, events, shares)) for other in others)
    p = (1 + sum(size >= abs(t) * (1 - 1e-9) for size in sizes)) / (1 + len(orders))
    effect, se = clustered(own)
    some = len({where[u][0] for u in here})
    error = whole_error(own, events, shares)
    reach = sizes[-floor(0.05 * (1 + len(orders)))]
    hits = sum(value > 0 for value in earned) / n
    sums, counts = [-shares[c] for c in range(clusters)], [0.0] * clusters
    for cluster, value, weight in own:
        sums[cluster] += value
        counts[cluster] += weight
    return dict(
        n=n, mean=sum(earned) / n, median=middle, hit_rate=hits, effect=effect, se=se,
        t=effect / se, p=p, span=reach * error, some=some, sums=sums, counts=counts,
    )  # fmt: skip


def q_values(p):
    """Benjamini-Hochberg: the least rate at which each hypothesis is rejected."""
    out = []
    for mine in p:
        rates = []
        for threshold in p:
            if threshold >= mine:
                rejected = sum(other <= threshold for other in p)
                rates.append(threshold * len(p) / rejected)
        out.append(min(1.0, *rates) if len(rates) > 1 else min(1.0, rates[0]))
    return out

"""Recomputes the rows of a report from exported observations, by its own statistics.

Takes {"observations", "brands", "by"} on stdin; prints the rows.
"""

import json
import math
import sys
from collections import defaultdict
from datetime import date, timedelta


def wilson(hits, total):
    if total == 0:
        return None, None, None
    # The roots of (p - share)^2 = z^2 p (1 - p) / total.
    z2 = 1.959963984540054 ** 2
    share = hits / total
    a, b, c = 1 + z2 / total, -(2 * share + z2 / total), share * share
    root = math.sqrt(max(b * b - 4 * a * c, 0.0))
    return share, max((-b - root) / (2 * a), 0.0), min((-b + root) / (2 * a), 1.0)


def key_of(observation, by):
    day = date.fromisoformat(observation["at"][:10])
    known = {
        "day": day.isoformat(),
        "week": (day - timedelta(days=day.weekday())).isoformat(),
        "scraper": observation["scraper"],
        "country": observation["country"],
        "label": observation["label"] or "",
    }
    return tuple((name, known[name]) for name in known if name in by)


def row(observations, names, all_names):
    here = [o for o in observations if not o["absent"]]
    named, cited, ranks, pairs, own_pairs = 0, 0, [], 0, 0
    prompts = defaultdict(list)
    for o in here:
        said = {b["brand"]: b for b in o["brands"]}
        mine = [said[name] for name in names if name in said]
        counted = [b for b in mine if b["count"] > 0]
        named += bool(counted)
        if counted:
            ranks.append(min(b["rank"] for b in counted))
        cited += o["citable"] and any(b["cited"] for b in mine)
        pairs += sum(1 for name in all_names if name in said and said[name]["count"] > 0)
        own_pairs += len(counted)
        asked_alike = (o["prompt_hash"], o["scraper"], o["country"], o["label"], o["at"][:10])
        prompts[asked_alike].append(1.0 if counted else 0.0)
    deviations = []
    for samples in prompts.values():
        if len(samples) > 1:
            mean = sum(samples) / len(samples)
            square = sum((sample - mean) ** 2 for sample in samples)
            deviations.append(math.sqrt(square / (len(samples) - 1)))
    citable = sum(o["citable"] for o in observations)
    mention, citation = wilson(named, len(here)), wilson(cited, citable)
    return {
        "answers": len(observations),
        "absent": len(observations) - len(here),
        "measured": len(here),
        "searched": sum(o["searched"] is True for o in observations),
        "unsearched": sum(o["searched"] is False for o in observations),
        "citable": citable,
        "mentioned": named,
        "mention_rate": mention[0],
        "mention_low": mention[1],
        "mention_high": mention[2],
        "cited": cited,
        "citation_rate": citation[0],
        "citation_low": citation[1],
        "citation_high": citation[2],
        "share": own_pairs / pairs if pairs else None,
        "mean_rank": sum(ranks) / len(ranks) if ranks else None,
        "spread": sum(deviations) / len(deviations) if deviations else None,
    }


asked = json.load(sys.stdin)
names = [brand["name"] for brand in asked["brands"]]
own = [brand["name"] for brand in asked["brands"] if brand["own"]] or names
groups = defaultdict(list)
for observation in asked["observations"]:
    if not observation["branded"]:
        groups[key_of(observation, asked["by"])].append(observation)
rows = []
for key in sorted(groups):
    for brand in names if "brand" in asked["by"] else [None]:
        found = row(groups[key], own if brand is None else [brand], names)
        rows.append({**dict(key), **({"brand": brand} if brand else {}), **found})
json.dump(rows, sys.stdout)

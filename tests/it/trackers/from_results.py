"""Computes the rows of a report from exported results, with nothing of the service's own counting.

Takes {"answers", "citations", "brands", "by"} on stdin: the rows of `GET /results` as they come, and
brands with their names and domains. Prints a row for each brand in each group. Names are looked for with
a regular expression of its own.
"""

import json
import math
import re
import sys
from collections import defaultdict
from urllib.parse import urlsplit

ADDRESS = re.compile(r"\S+://\S+|\b[\w-]+(?:\.[\w-]+)*\.(?:com|net|org|io)\b\S*", re.IGNORECASE)


def names(text, brand):
    return re.search(rf"\b{re.escape(brand)}\b", ADDRESS.sub(" ", text), re.IGNORECASE) is not None


def belongs(url, domains):
    host = (urlsplit(url).hostname or "").removeprefix("www.")
    return any(host == domain or host.endswith("." + domain) for domain in domains)


def wilson(hits, total):
    if total == 0:
        return None, None, None
    z2 = 1.959963984540054 ** 2
    share = hits / total
    a, b, c = 1 + z2 / total, -(2 * share + z2 / total), share * share
    root = math.sqrt(max(b * b - 4 * a * c, 0.0))
    return share, max((-b - root) / (2 * a), 0.0), min((-b + root) / (2 * a), 1.0)


asked = json.load(sys.stdin)
cited = defaultdict(list)
for citation in asked["citations"]:
    cited[citation["job_id"]].append(citation["url"])
groups = defaultdict(list)
for answer in asked["answers"]:
    # What the prompt names is no news.
    if not any(names(answer["prompt"], brand["name"]) for brand in asked["brands"]):
        groups[tuple((name, answer[name]) for name in asked["by"])].append(answer)
rows = []
for key in sorted(groups):
    answers = groups[key]
    shown = [answer for answer in answers if answer["present"] is not False]
    # A page is consulted only after a search.
    citable = [a for a in shown if (a["searched"] if a["searched"] is not None else a["sources"] > 0)]
    said = {brand["name"]: sum(names(a["result"], brand["name"]) for a in shown) for brand in asked["brands"]}
    for brand in asked["brands"]:
        hits = sum(any(belongs(url, brand["domains"]) for url in cited[a["job_id"]]) for a in citable)
        mention, citation = wilson(said[brand["name"]], len(shown)), wilson(hits, len(citable))
        pairs = sum(said.values())
        rows.append({
            **dict(key), "brand": brand["name"], "answers": len(answers), "measured": len(shown),
            "citable": len(citable), "mentioned": said[brand["name"]], "mention_rate": mention[0],
            "mention_low": mention[1], "mention_high": mention[2], "cited": hits,
            "citation_rate": citation[0], "citation_low": citation[1], "citation_high": citation[2],
            "share": said[brand["name"]] / pairs if pairs else None,
        })
json.dump(rows, sys.stdout)

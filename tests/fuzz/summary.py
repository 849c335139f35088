"""A table of what `make fuzz` ran: python tests/fuzz/summary.py LOG."""

import collections
import json
import sys
from pathlib import Path


def main() -> None:
    rows = collections.defaultdict(list)
    for line in Path(sys.argv[1]).read_text().splitlines():
        case = json.loads(line)
        rows[case["kind"]].append(case)
    print(
        "| kind | commands | did it | refused | stopped | broke the promise | seconds, median / largest | largest MiB |"
    )
    print("|---|---|---|---|---|---|---|---|")
    total = collections.Counter()
    for kind, cases in sorted(rows.items()):
        seconds, largest = sorted(case["seconds"] for case in cases), max(case["bytes"] for case in cases)
        counts = collections.Counter({0: "did", 2: "refused"}.get(case["code"], "stopped") for case in cases)
        counts["all"], counts["faults"] = len(cases), sum(case["fault"] is not None for case in cases)
        total += counts
        cells = [counts[name] for name in ("all", "did", "refused", "stopped", "faults")]
        times = f"{seconds[len(seconds) // 2]:.1f} / {seconds[-1]:.1f}"
        print("|", " | ".join(map(str, [kind, *cells, times, largest >> 20])), "|")
    cells = [total[name] for name in ("all", "did", "refused", "stopped", "faults")]
    print("|", " | ".join(map(str, ["all", *cells, "", ""])), "|")


if __name__ == "__main__":
    main()

"""Draws the table of a visit to a GPU from its facts (check.py), at any time: table.py FACTS.json"""

import json
import sys


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        facts = [json.loads(line) for line in file if line.strip()]
    print("| Step | What | Measured | |\n|---|---|---|---|")
    step = None
    for fact in facts:
        value = "-" if fact["value"] is None else f"{fact['value']} {fact['unit']}".strip()
        how = " ".join(str(fact["how"]).split())
        how = how if len(how) <= 160 else how[:157] + "..."
        if not fact["passed"]:
            how = f"**failed** {how}"
        print(f"| {fact['step'] if fact['step'] != step else ''} | {fact['what']} | {value} | {how} |".replace("||", "| |"))
        step = fact["step"]


if __name__ == "__main__":
    main()

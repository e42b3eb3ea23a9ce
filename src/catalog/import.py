#!/usr/bin/env python3
"""Writes the catalog's data, `models/PROVIDER.txt`, from a table of prices: one line per model, sorted by its id.

    src/catalog/import.py PRICES.csv --as-of 2026-11-22    write the files, and say what was left out
    src/catalog/import.py --check                          are the files as this script would write them?

A line is the model's id, its kind, and facts as KEY=VALUE in the order of `KEYS`; `mod.rs` says what each means. Prices are whole
picodollars for each token, image, second, character or request: $1 per million tokens is 1,000,000 for each.

Not every row of a table is taken. Prices are transcriptions, so a row needs another list that says the same, or has to belong to a
provider whose models nobody else lists (`TAKE_UNCHECKED`); what was compared stands in the line (`seen=AGREE/COMPARED`).
Lines of `by_hand.txt` (there with the provider before the id) replace what the table says. Nothing is looked up in a network.
"""

import argparse
import csv
import json
import re
import sys
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODELS = HERE / "models"
BY_HAND = HERE / "by_hand.txt"

KINDS = ["chat", "responses", "completion", "embedding", "image", "transcription", "speech", "moderation", "rerank"]
KEYS = [
    "context",
    "input",
    "output",
    "takes",
    "gives",
    "can",
    "cannot",
    "cache_min",
    "price",
    "cached",
    "write",
    "thought",
    "audio",
    "images",
    "tier",
    "batch",
    "off_peak",
    "image",
    "second",
    "character",
    "request",
    "ends",
    "seen",
]

# Where the table's name of a provider is not ours.
PROVIDERS = {"amazon_nova": "nova", "fireworks_ai": "fireworks", "together_ai": "together", "vertex_ai": "vertex"}

# Providers whose prices stand in few other lists. Azure, Bedrock and Vertex name models their own way, which those lists do not follow.
TAKE_UNCHECKED = {"ai21", "anthropic", "azure", "bedrock", "deepseek", "nova", "openai", "sambanova", "vertex"}

# The other lists have DeepSeek's off-peak prices where the table has the full ones, and prices of one region for Bedrock.
TAKE_DISPUTED = {"deepseek", "bedrock"}

CAPABILITIES = {
    "tools": "tools",
    "parallel_tools": "parallel_tools",
    "tool_choice": "tool_choice",
    "structured_output": "json_schema",
    "native_structured_output": "native_json_schema",
    "reasoning": "reasoning",
    "prompt_caching": "prompt_cache",
    "sampling_params": "sampling",
}

MODALITIES = ["text", "image", "audio", "video", "pdf", "embedding"]


def import_table(path, as_of):
    """Lines by provider and id, and how many rows were left out for which reason."""
    lines, left_out = {}, Counter()
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            provider = PROVIDERS.get(row["provider"], row["provider"])
            reason = reason_against(row, provider, as_of)
            if reason:
                left_out[reason] += 1
                continue
            lines.setdefault(provider, {})[row["model"]] = line(row, provider)
    return lines, left_out


def reason_against(row, provider, as_of):
    """Why a row is not taken; None if it is."""
    ends = row["deprecation_date"]
    if ends and date.fromisoformat(ends) <= as_of:
        return "retired"
    if row["model"].startswith(row["provider"] + "/") and row["provider"] != "fireworks_ai":
        # An older spelling of a row that is there too.
        return "spelled twice"
    if row["verdict"] == "disputed" and provider not in TAKE_DISPUTED:
        return "every other list disagrees"
    if row["verdict"] == "unchecked" and provider not in TAKE_UNCHECKED:
        return "in no other list"
    if row["verdict"] == "unchecked" and not any(
        Decimal(row[key] or 0) for key in ("input_usd_per_m", "output_usd_per_m")
    ):
        return "free, by one list"
    return None


def line(row, provider):
    """The line of one row."""
    kind = row["mode"]
    facts = {**limits(row, provider), **abilities(row, provider), **prices(row)}
    facts["ends"] = row["deprecation_date"]
    checks = [row[key] for key in ("chk_modelsdev", "chk_genai_prices", "chk_llmgateway") if row[key]]
    facts["seen"] = f"{checks.count('same')}/{len(checks)}"
    return render(row["model"], kind, facts)


def render(model, kind, facts):
    assert kind in KINDS, kind
    assert re.fullmatch(r"[!-~]+", model), model
    return " ".join([model, kind] + [f"{key}={facts[key]}" for key in KEYS if facts.get(key) not in (None, "")])


def limits(row, provider):
    context, output = int(row["context_window"] or 0), int(row["max_output"] or 0)
    facts = {"context": context or None, "output": output or None, "cache_min": row["prompt_cache_min_tokens"]}
    if row["mode"] == "embedding":
        facts["output"] = None
    if provider in ("openai", "azure") and output == 128_000 and context in (272_000, 922_000):
        # These rows give the most input, which is the window less the most output.
        facts.update(context=context + output, input=context)
    return facts


def abilities(row, provider):
    can = [name for key, name in CAPABILITIES.items() if row[key] == "yes"]
    cannot = [name for key, name in CAPABILITIES.items() if row[key] == "no"]
    if row["mode"] == "chat" and "/v1/responses" in row["endpoints"].split("|"):
        can.append("responses")
    for name, known in thinking(row["model"], row["sampling_params"] == "no").items():
        (can if known else cannot).append(name)
    words = {
        "can": can,
        "cannot": cannot,
        "takes": [word for word in MODALITIES if word in row["input_modalities"].split("|")],
        "gives": [word for word in MODALITIES if word in row["output_modalities"].split("|")],
    }
    return {key: "+".join(value) for key, value in words.items()}


def thinking(model, adaptive_only):
    """How a model is told to think, by its name: no price list says it.

    Claude since 4.6 decides itself how long (`thinking.type` "adaptive"), and the models that refuse sampling parameters refuse a budget too.
    Gemini 2.5 takes a budget, later ones a level.
    """
    claude = re.search(r"claude-(?:opus|sonnet|haiku|fable|mythos)-(\d)(?:-(\d))?(?![\d])", model)
    if claude:
        version = (int(claude[1]), int(claude[2] or 0))
        return {"adaptive_thinking": version >= (4, 6), "thinking_budget": not adaptive_only}
    gemini = re.search(r"gemini-(\d)(?:[.-](\d))?-(?:flash|pro)(?!.*(?:tts|image))", model)
    if gemini and (int(gemini[1]), int(gemini[2] or 0)) >= (2, 5):
        later = int(gemini[1]) >= 3
        return {"thinking_level": later} if later else {"thinking_level": False, "thinking_budget": True}
    return {}


def picousd(usd_per_million):
    """$ per million to picodollars for each; the table's numbers have been floats once, which shows in their last digits."""
    exact = Decimal(usd_per_million) * 1_000_000
    whole = int(exact.to_integral_value())
    assert abs(exact - whole) < Decimal("0.01"), usd_per_million
    return whole


def prices(row):
    def price(key):
        return picousd(row[key]) if row[key] else None

    facts = {
        "price": listed(price("input_usd_per_m") or 0, price("output_usd_per_m") or 0),
        "cached": price("cached_input_usd_per_m"),
        "write": writes(price("cache_write_usd_per_m"), price("cache_write_1h_usd_per_m"), price("input_usd_per_m")),
        "thought": price("reasoning_output_usd_per_m"),
        "audio": listed(price("audio_input_usd_per_m"), price("audio_output_usd_per_m")),
        "batch": listed(price("batch_input_usd_per_m"), price("batch_output_usd_per_m")),
    }
    if row["off_peak_json"]:
        facts["off_peak"] = off_peak(json.loads(row["off_peak_json"], parse_float=Decimal))
    if row["all_tiers_json"]:
        above = json.loads(row["all_tiers_json"], parse_float=Decimal)[1:]
        facts["tier"] = ",".join(
            f"{tier['from']}:{listed(picousd(tier['in']), picousd(tier['out']))}" for tier in above
        )
    elif row["tier_threshold_tokens"] and price("input_above_usd_per_m") != price("input_usd_per_m"):
        # Above what goes into the window no request can be. Equal is another matter: some windows are longer for those who ask.
        if int(row["tier_threshold_tokens"]) > int(row["context_window"] or row["tier_threshold_tokens"]):
            return facts
        rates = listed(*(price(key + "_above_usd_per_m") for key in ("input", "output", "cached_input")))
        facts["tier"] = f"{row['tier_threshold_tokens']}:{rates}"
    return facts


def writes(price_5m, price_1h, price_input):
    """0 in the table says that writing costs nothing on top of the input; a line without a price says that."""
    return None if price_5m == 0 and price_input else listed(price_5m, price_1h)


def listed(*values):
    """Values with slashes between them: what is missing at the end is left out, what is missing before it is empty."""
    return "/".join("" if value is None else str(value) for value in values).rstrip("/")


def off_peak(told):
    keys = ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost")
    rates = listed(*(picousd(told[key] * 1_000_000) for key in keys))
    windows = []
    for window in told["windows"]:
        days = "".join(str(day) for day in window["weekdays"])
        hours = window["hours_utc"]
        for span in [hours] if isinstance(hours, str) else hours:
            begin, end = (time.replace(":", "") for time in span.split("-"))
            windows.append(f"{days}:{begin}-{'2400' if end == '0000' else end}")
    return f"{rates}@{','.join(windows)}"


def by_hand():
    """Lines by provider and id, from `by_hand.txt`."""
    lines = {}
    for text in BY_HAND.read_text().splitlines():
        if text and not text.startswith("#"):
            provider, rest = text.split("/", 1)
            lines.setdefault(provider, {})[rest.split(" ")[0]] = rest
    return lines


def faults(name, text):
    """What is wrong with a file's text, apart from what the program's own parser finds."""
    lines = text.splitlines()
    ids = [line.split(" ")[0] for line in lines]
    if ids != sorted(set(ids)):
        yield f"{name}: ids are not sorted, or not unique"
    for number, line in enumerate(lines, 1):
        model, kind, *facts = line.split(" ")
        pairs = dict(fact.split("=", 1) for fact in facts if "=" in fact)
        if len(pairs) != len(facts) or kind not in KINDS or render(model, kind, pairs) != line:
            yield f"{name}:{number}: not as it would be written: {line}"


def check():
    """Holds every file against the rules above, and what is written by hand against the files."""
    wrong = []
    files = {path.stem: path.read_text() for path in sorted(MODELS.glob("*.txt"))}
    for name, text in files.items():
        wrong += faults(name, text)
    for provider, lines in by_hand().items():
        kept = files.get(provider, "").splitlines()
        wrong += [f"{provider}: lacks what by_hand.txt says: {line}" for line in lines.values() if line not in kept]
    return wrong


def write(lines):
    for path in MODELS.glob("*.txt"):
        path.unlink()
    for provider, models in lines.items():
        # Bytes, as the program compares them; ids are ASCII.
        text = "".join(models[model] + "\n" for model in sorted(models))
        (MODELS / f"{provider}.txt").write_text(text)


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", nargs="?", help="the CSV file to import")
    parser.add_argument("--as-of", type=date.fromisoformat, help="leave out what is retired by this day")
    parser.add_argument("--check", action="store_true", help="check the files that are there")
    options = parser.parse_args(arguments)
    if options.table and not options.as_of:
        parser.error("--as-of is needed: what is retired depends on the day")
    if not options.table and not options.check:
        parser.error("nothing to do")
    if options.table:
        lines, left_out = import_table(options.table, options.as_of)
        for provider, models in by_hand().items():
            lines.setdefault(provider, {}).update(models)
        write(lines)
        print(f"{sum(map(len, lines.values()))} models of {len(lines)} providers; left out: {dict(left_out)}")
    wrong = check()
    print("\n".join(wrong), end="\n" if wrong else "", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The script that writes the catalog's data: what it takes from a table, what it leaves out, and that the files are as it writes them."""

import csv
import importlib.util
import tempfile
import unittest
from datetime import date
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "src/catalog/import.py"
spec = importlib.util.spec_from_file_location("catalog_import", SCRIPT)
catalog = importlib.util.module_from_spec(spec)
spec.loader.exec_module(catalog)

COLUMNS = [
    "provider",
    "model",
    "mode",
    "context_window",
    "max_output",
    "input_usd_per_m",
    "output_usd_per_m",
    "cached_input_usd_per_m",
    "cache_write_usd_per_m",
    "cache_write_1h_usd_per_m",
    "tier_threshold_tokens",
    "input_above_usd_per_m",
    "output_above_usd_per_m",
    "cached_input_above_usd_per_m",
    "all_tiers_json",
    "batch_input_usd_per_m",
    "batch_output_usd_per_m",
    "reasoning_output_usd_per_m",
    "audio_input_usd_per_m",
    "audio_output_usd_per_m",
    "input_modalities",
    "output_modalities",
    "tools",
    "parallel_tools",
    "tool_choice",
    "structured_output",
    "native_structured_output",
    "reasoning",
    "prompt_caching",
    "prompt_cache_min_tokens",
    "sampling_params",
    "off_peak_json",
    "endpoints",
    "deprecation_date",
    "chk_modelsdev",
    "chk_genai_prices",
    "chk_llmgateway",
    "verdict",
]

PLAIN = {
    "provider": "mistral",
    "model": "m",
    "mode": "chat",
    "context_window": "1000",
    "max_output": "100",
    "input_usd_per_m": "0.0375",
    "output_usd_per_m": "2",
    "input_modalities": "text",
    "output_modalities": "text",
    "chk_modelsdev": "same",
    "verdict": "confirmed",
}


class Lines(unittest.TestCase):
    def check(self, expected, **columns):
        """The line of a row, less what all these rows have."""
        row = dict.fromkeys(COLUMNS, "") | PLAIN | columns
        line = catalog.line(row, catalog.PROVIDERS.get(row["provider"], row["provider"]))
        self.assertEqual(line.replace(" takes=text gives=text", ""), expected)

    def test_prices_are_whole_picodollars(self):
        self.check("m chat context=1000 output=100 price=37500/2000000 seen=1/1")
        rounded = {"input_usd_per_m": "2.9999900000000002"}
        self.check("m chat context=1000 output=100 price=2999990/2000000 seen=1/1", **rounded)
        with self.assertRaises(AssertionError):
            self.check("", input_usd_per_m="0.0000001")

    def test_cached_written_reasoned_and_batched(self):
        columns = {"cached_input_usd_per_m": "0.01", "cache_write_usd_per_m": "0.05", "reasoning_output_usd_per_m": "3"}
        columns |= {"audio_output_usd_per_m": "9", "batch_input_usd_per_m": "0.02", "batch_output_usd_per_m": "1"}
        rates = "price=37500/2000000 cached=10000 write=50000 thought=3000000 audio=/9000000 batch=20000/1000000"
        self.check(f"m chat context=1000 output=100 {rates} seen=1/1", **columns)

    def test_a_write_that_costs_nothing_on_top(self):
        self.check("m chat context=1000 output=100 price=37500/2000000 seen=1/1", cache_write_usd_per_m="0")

    def test_tiers(self):
        above = {
            "input_above_usd_per_m": "0.075",
            "output_above_usd_per_m": "4",
            "cached_input_above_usd_per_m": "0.02",
        }
        line = "m chat context=1000 output=100 price=37500/2000000"
        self.check(f"{line} tier=500:75000/4000000/20000 seen=1/1", tier_threshold_tokens="500", **above)
        self.check(f"{line} seen=1/1", tier_threshold_tokens="1001", **above)
        same = above | {"input_above_usd_per_m": "0.0375"}
        self.check(f"{line} seen=1/1", tier_threshold_tokens="500", **same)
        several = '[{"from":0,"in":1,"out":2},{"from":300,"in":1.5,"out":3.1},{"from":600,"in":2,"out":4}]'
        self.check(f"{line} tier=300:1500000/3100000,600:2000000/4000000 seen=1/1", all_tiers_json=several)

    def test_off_peak(self):
        told = """{"input_cost_per_token":1.5e-07,"output_cost_per_token":6e-07,"cache_read_input_token_cost":3e-09,
        "windows":[{"hours_utc":["00:30-01:00","10:00-00:00"],"weekdays":[1,2]},{"hours_utc":"00:00-00:00","weekdays":[7]}]}"""
        windows = "12:0030-0100,12:1000-2400,7:0000-2400"
        line = "m chat context=1000 output=100 price=37500/2000000"
        self.check(f"{line} off_peak=150000/600000/3000@{windows} seen=1/1", off_peak_json=told)

    def test_windows_that_are_given_less_the_output(self):
        columns = {"provider": "openai", "context_window": "272000", "max_output": "128000"}
        line = "m chat context=400000 input=272000 output=128000 price=37500/2000000 seen=1/1"
        self.check(line, **columns)
        self.check(line.replace("context=400000 input=", "context="), **(columns | {"provider": "together_ai"}))

    def test_abilities(self):
        columns = {
            "tools": "yes",
            "reasoning": "no",
            "sampling_params": "no",
            "endpoints": "/v1/chat/completions|/v1/responses",
        }
        can = "can=tools+responses cannot=reasoning+sampling"
        self.check(f"m chat context=1000 output=100 {can} price=37500/2000000 seen=1/1", **columns)

    def test_how_models_think(self):
        check = lambda model, sampling, **known: self.assertEqual(catalog.thinking(model, sampling), known)  # noqa: E731
        check("anthropic.claude-opus-4-6-v1", False, adaptive_thinking=True, thinking_budget=True)
        check("claude-sonnet-5", True, adaptive_thinking=True, thinking_budget=False)
        check("claude-haiku-4-5-20251001", False, adaptive_thinking=False, thinking_budget=True)
        check("claude-opus-4-20250514", False, adaptive_thinking=False, thinking_budget=True)
        check("gemini-2.5-flash", False, thinking_level=False, thinking_budget=True)
        check("gemini-3.1-pro-preview", False, thinking_level=True)
        check("gemini-2.5-pro-preview-tts", False)
        check("gpt-5", False)


class Selection(unittest.TestCase):
    def test_what_is_left_out(self):
        def check(expected, **columns):
            row = dict.fromkeys(COLUMNS, "") | PLAIN | columns
            self.assertEqual(catalog.reason_against(row, row["provider"], date(2026, 11, 22)), expected, columns)

        check(None)
        check(None, verdict="mixed")
        check(None, deprecation_date="2026-11-23")
        check("retired", deprecation_date="2026-11-22")
        check("every other list disagrees", verdict="disputed")
        check(None, verdict="disputed", provider="deepseek")
        check("in no other list", verdict="unchecked")
        check(None, verdict="unchecked", provider="openai")
        check("free, by one list", verdict="unchecked", provider="openai", input_usd_per_m="0", output_usd_per_m="0")
        check("spelled twice", model="mistral/m")

    def test_a_table_becomes_lines_by_our_names_of_providers(self):
        with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="") as file:
            table = csv.DictWriter(file, COLUMNS)
            table.writeheader()
            table.writerow(PLAIN)
            table.writerow(PLAIN | {"provider": "together_ai", "model": "org/n"})
            table.writerow(PLAIN | {"model": "gone", "deprecation_date": "2020-01-01"})
            file.flush()
            lines, left_out = catalog.import_table(file.name, date(2026, 11, 22))
        self.assertEqual(
            {provider: list(models) for provider, models in lines.items()}, {"mistral": ["m"], "together": ["org/n"]}
        )
        self.assertEqual(left_out, {"retired": 1})


class Files(unittest.TestCase):
    def test_committed_files_are_as_the_script_writes_them(self):
        self.assertEqual(catalog.check(), [])

    def test_faults_are_seen(self):
        def check(text, *expected):
            self.assertEqual([fault.split(": ")[1] for fault in catalog.faults("f", text)], list(expected), text)

        good = "a chat context=1 price=1/2\nb chat price=1/2\n"
        check(good)
        check("b chat price=1/2\na chat price=1/2\n", "ids are not sorted, or not unique")
        check("a chat price=1/2\na chat price=1/2\n", "ids are not sorted, or not unique")
        for wrong in [
            "a chat price=1/2 context=1\n",
            "a chat cost=1\n",
            "a chat context\n",
            "a talk context=1\n",
            "a chat context=\n",
        ]:
            check(wrong, "not as it would be written")


if __name__ == "__main__":
    unittest.main()

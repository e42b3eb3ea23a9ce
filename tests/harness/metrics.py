"""Prometheus' text format, as far as Ringway writes it."""

import re

SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Metrics:
    def __init__(self, text):
        self.text = text
        self.samples = []
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, labels, value = SAMPLE.match(line).groups()
                self.samples.append((name, dict(LABEL.findall(labels or "")), float(value)))

    def value(self, name, **labels):
        """The sum of the samples of this name that have these labels. A name that is not shown at all is an error."""
        named = [(have, value) for sample, have, value in self.samples if sample == name]
        assert named, f"no metric is called {name}"
        return sum(value for have, value in named if labels.items() <= have.items())

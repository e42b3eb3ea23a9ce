"""What the event stream decoder is held against is what botocore reads today, from the streams that are there."""

from oracles.aws import frames


def test_the_file_says_what_botocore_reads():
    expected = frames.FILE.read_text(encoding="utf-8")
    assert expected == frames.expectations(), "python tests/oracles/aws/frames.py writes it anew"


def test_the_streams_are_the_ones_that_were_read():
    made = {f"{name}.bin": stream for name, stream in frames.streams()}
    present = {path.name: path.read_bytes() for path in frames.STREAMS.iterdir()}
    missing = {name for name, stream in made.items() if present.get(name) != stream}
    assert not missing, "python tests/oracles/aws/frames.py writes them anew"

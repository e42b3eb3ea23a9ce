"""What src/providers/sigv4.rs is held against is what botocore says, today and from the first byte."""

from oracles.aws import signatures


def test_the_file_is_what_botocore_signs():
    assert signatures.FILE.read_text(encoding="utf-8") == signatures.cases(), (
        "python tests/oracles/aws/signatures.py writes it anew"
    )

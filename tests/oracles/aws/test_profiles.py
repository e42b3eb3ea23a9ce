"""What src/control_plane/credentials/aws.rs is held against is what botocore makes of a profile today."""

from oracles.aws import profiles


def test_the_file_is_what_botocore_does():
    assert profiles.FILE.read_text(encoding="utf-8") == profiles.cases(), (
        "python tests/oracles/aws/profiles.py writes it anew"
    )

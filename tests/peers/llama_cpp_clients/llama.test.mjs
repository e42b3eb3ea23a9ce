// The clients for Node.js, and a real model. PROMPT, TEXT, INPUT and OUTPUT are a question and what the server itself answers, at which usage.

import assert from "node:assert/strict";
import { test } from "node:test";

const { clients } = await import(process.env.CLIENTS);
// The server makes a model whose template knows no tools call none, whatever `tool_choice` says, and this client wants the call.
const FORCES_A_TOOL = new Set(["ai over anthropic"]);
const { PROMPT, TEXT, INPUT, OUTPUT } = process.env;

for (const [name, client] of Object.entries(clients)) {
  for (const streamed of [false, true]) {
    const how = streamed ? "streamed" : "whole";
    test(`${name}: it says what the server says, at its usage, ${how}`, async () => {
      const { text, finish, usage } = await client.text(PROMPT, streamed);
      assert.deepEqual({ text, finish, usage }, { text: TEXT, finish: client.finish, usage: [Number(INPUT), Number(OUTPUT)] });
    });

    const skip = FORCES_A_TOOL.has(name) && "the server cannot be made to call a tool with this model";
    test(`${name}: a schema is kept to, ${how}`, { skip }, async () => {
      const { n, ...rest } = await client.schema("a number", streamed);
      assert.ok(Number.isInteger(n), String(n));
      assert.deepEqual(rest, {});
    });
  }
}

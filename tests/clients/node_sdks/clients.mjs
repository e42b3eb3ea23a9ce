// The clients for Node.js as their users call them, each behind the same few questions.
//
// `text` asks one question; `tools` asks another, answers all calls at once and goes on; `picture` sends one; `schema` wants JSON. All
// but the picture are asked whole or streamed. An answer is `{ text, finish, usage: [input, output] }`. BASE_URL is the gateway's origin, KEY its key,
// PNG a picture in base64.

import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogle } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import { generateText, jsonSchema, Output, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";

const { BASE_URL: url, KEY: apiKey, PNG } = process.env;
const model = "model";
const QUESTION = "what is it?";

function object(properties) {
  return { type: "object", properties, required: Object.keys(properties), additionalProperties: false };
}
const CITY = object({ city: { type: "string" } });
const NUMBER = object({ n: { type: "integer" } });
const TOOLS = ["weather", "time"].map((name) => ({ name, description: `Tells the ${name}.` }));

async function collect(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });

const chat = {
  finish: "stop",
  status: (error) => error instanceof OpenAI.APIError && error.status,
  async ask(body, streamed) {
    const { messages, ...rest } = body;
    const request = { model, messages, ...rest };
    const answer = streamed
      ? await openai.chat.completions.stream({ ...request, stream_options: { include_usage: true } }).finalChatCompletion()
      : await openai.chat.completions.create(request);
    const [{ message, finish_reason: finish }] = answer.choices;
    const usage = [answer.usage.prompt_tokens, answer.usage.completion_tokens];
    return { message, text: message.content, finish, usage };
  },
  text: (content, streamed) => chat.ask({ messages: [{ role: "user", content }] }, streamed),
  async tools(content, streamed) {
    const messages = [{ role: "user", content }];
    const tools = TOOLS.map((tool) => ({ type: "function", function: { ...tool, parameters: CITY } }));
    const { message } = await chat.ask({ messages, tools }, streamed);
    const results = message.tool_calls.map(({ id }) => ({ role: "tool", tool_call_id: id, content: "sunny" }));
    const { text } = await chat.ask({ messages: [...messages, message, ...results], tools }, streamed);
    return { calls: message.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]), text };
  },
  picture() {
    const image_url = { url: `data:image/png;base64,${PNG}` };
    return chat.text([{ type: "text", text: QUESTION }, { type: "image_url", image_url }]);
  },
  async schema(content, streamed) {
    const response_format = { type: "json_schema", json_schema: { name: "number", schema: NUMBER, strict: true } };
    return JSON.parse((await chat.ask({ messages: [{ role: "user", content }], response_format }, streamed)).text);
  },
};

const responses = {
  finish: "completed",
  status: chat.status,
  async ask(body, streamed) {
    const request = { model, ...body };
    const answer = streamed
      ? await openai.responses.stream(request).finalResponse()
      : await openai.responses.create(request);
    const { output, output_text: text, status: finish } = answer;
    return { output, text, finish, usage: [answer.usage.input_tokens, answer.usage.output_tokens] };
  },
  text: (input, streamed) => responses.ask({ input }, streamed),
  async tools(content, streamed) {
    const input = [{ role: "user", content }];
    const tools = TOOLS.map((tool) => ({ type: "function", ...tool, parameters: CITY, strict: true }));
    const { output } = await responses.ask({ input, tools }, streamed);
    const made = output.filter((item) => item.type === "function_call");
    const results = made.map(({ call_id }) => ({ type: "function_call_output", call_id, output: "sunny" }));
    // What the client's accumulation adds to an item is not the API's.
    const items = output.map(({ parsed_arguments, ...item }) => item);
    const { text } = await responses.ask({ input: [...input, ...items, ...results], tools }, streamed);
    return { calls: made.map((call) => [call.name, JSON.parse(call.arguments)]), text };
  },
  picture() {
    const image = { type: "input_image", image_url: `data:image/png;base64,${PNG}`, detail: "auto" };
    return responses.text([{ role: "user", content: [{ type: "input_text", text: QUESTION }, image] }]);
  },
  async schema(input, streamed) {
    const format = { type: "json_schema", name: "number", schema: NUMBER, strict: true };
    return JSON.parse((await responses.ask({ input, text: { format } }, streamed)).text);
  },
};

const claude = new Anthropic({ baseURL: url, apiKey, maxRetries: 0 });

const messages = {
  finish: "end_turn",
  status: (error) => error instanceof Anthropic.APIError && error.status,
  async ask(body, streamed) {
    const request = { model, max_tokens: 2048, ...body };
    const answer = streamed
      ? await claude.messages.stream(request).finalMessage()
      : await claude.messages.create(request);
    const { content, stop_reason: finish } = answer;
    const text = content.map((block) => block.text ?? "").join("");
    return { content, text, finish, usage: [answer.usage.input_tokens, answer.usage.output_tokens] };
  },
  text: (content, streamed) => messages.ask({ messages: [{ role: "user", content }] }, streamed),
  async tools(prompt, streamed) {
    const turns = [{ role: "user", content: prompt }];
    const tools = TOOLS.map((tool) => ({ ...tool, input_schema: CITY }));
    const { content } = await messages.ask({ messages: turns, tools }, streamed);
    const made = content.filter((block) => block.type === "tool_use");
    const results = made.map(({ id }) => ({ type: "tool_result", tool_use_id: id, content: "sunny" }));
    turns.push({ role: "assistant", content }, { role: "user", content: results });
    const { text } = await messages.ask({ messages: turns, tools }, streamed);
    return { calls: made.map((block) => [block.name, block.input]), text };
  },
  picture() {
    const source = { type: "base64", media_type: "image/png", data: PNG };
    return messages.text([{ type: "image", source }, { type: "text", text: QUESTION }]);
  },
  async schema(content, streamed) {
    const output_config = { format: { type: "json_schema", schema: NUMBER } };
    return JSON.parse((await messages.ask({ messages: [{ role: "user", content }], output_config }, streamed)).text);
  },
};

const google = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: url } });

const generate = {
  finish: "STOP",
  status: (error) => error.name === "ApiError" && error.status,
  async ask(contents, config, streamed) {
    const chunks = streamed
      ? await collect(await google.models.generateContentStream({ model, contents, config }))
      : [await google.models.generateContent({ model, contents, config })];
    const parts = chunks.flatMap((chunk) => chunk.candidates?.[0]?.content?.parts ?? []);
    const text = parts.map((part) => part.text ?? "").join("");
    const { usageMetadata } = chunks.at(-1);
    const usage = [usageMetadata.promptTokenCount, usageMetadata.candidatesTokenCount];
    return { parts, text, finish: chunks.at(-1).candidates[0].finishReason, usage };
  },
  text: (prompt, streamed) => generate.ask(prompt, {}, streamed),
  async tools(prompt, streamed) {
    const functionDeclarations = TOOLS.map((tool) => ({ ...tool, parametersJsonSchema: CITY }));
    const config = { tools: [{ functionDeclarations }] };
    const contents = [{ role: "user", parts: [{ text: prompt }] }];
    const { parts } = await generate.ask(contents, config, streamed);
    const made = parts.flatMap((part) => part.functionCall ?? []);
    const results = made.map(({ id, name }) => ({ functionResponse: { id, name, response: { result: "sunny" } } }));
    contents.push({ role: "model", parts }, { role: "user", parts: results });
    return { calls: made.map((call) => [call.name, call.args]), text: (await generate.ask(contents, config, streamed)).text };
  },
  picture: () => generate.ask([{ text: QUESTION }, { inlineData: { mimeType: "image/png", data: PNG } }], {}),
  async schema(prompt, streamed) {
    const config = { responseMimeType: "application/json", responseJsonSchema: NUMBER };
    return JSON.parse((await generate.ask(prompt, config, streamed)).text);
  },
};

/** Vercel's `ai`, whose providers each have their own way to the same answers. */
function ai(model, providerOptions) {
  const call = async (options, streamed) => {
    const asked = { model, maxRetries: 0, onError: () => {}, providerOptions, ...options };
    const answer = streamed ? streamText(asked) : await generateText(asked);
    if (streamed) {
      // The other promises do not settle by themselves when the stream has an error in it.
      const failed = (await collect(answer.fullStream)).find((part) => part.type === "error");
      if (failed) throw failed.error;
    }
    return answer;
  };
  return {
    finish: "stop",
    status: (error) => error.name === "AI_APICallError" && error.statusCode,
    async text(prompt, streamed) {
      const answer = await call({ prompt }, streamed);
      const usage = await answer.usage;
      return { text: await answer.text, finish: await answer.finishReason, usage: [usage.inputTokens, usage.outputTokens] };
    },
    async tools(prompt, streamed) {
      const execute = async () => "sunny";
      const tools = TOOLS.map(({ name, description }) => [
        name,
        tool({ description, inputSchema: jsonSchema(CITY), execute }),
      ]);
      const answer = await call({ prompt, tools: Object.fromEntries(tools), stopWhen: stepCountIs(2) }, streamed);
      const [first] = await answer.steps;
      return { calls: first.toolCalls.map((call) => [call.toolName, call.input]), text: await answer.text };
    },
    async picture() {
      const content = [
        { type: "text", text: QUESTION },
        { type: "file", mediaType: "image/png", data: PNG },
      ];
      return call({ messages: [{ role: "user", content }] });
    },
    async schema(prompt, streamed) {
      return (await call({ prompt, output: Output.object({ schema: jsonSchema(NUMBER) }) }, streamed)).output;
    },
  };
}

const aiOpenai = createOpenAI({ baseURL: `${url}/v1`, apiKey });
const aiAnthropic = createAnthropic({ baseURL: `${url}/v1`, apiKey })(model);

export const clients = {
  openai: chat,
  "openai responses": responses,
  anthropic: messages,
  google: generate,
  "ai over openai": ai(aiOpenai.chat(model)),
  "ai over openai responses": ai(aiOpenai.responses(model)),
  // Of a model that it does not know it gets an answer of a schema by a tool that has to be called, unless it is told to ask for the format.
  "ai over anthropic": ai(aiAnthropic),
  "ai over anthropic, formats": ai(aiAnthropic, { anthropic: { structuredOutputMode: "outputFormat" } }),
  "ai over google": ai(createGoogle({ baseURL: `${url}/v1beta`, apiKey })(model)),
};

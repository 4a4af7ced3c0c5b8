// The codec, on the vectors: proto/vectors/conformance/README.md, "Frames".
import { createInterface } from "node:readline";
import { parseJson, stringifyJson } from "jobbroker";
import { readResponse } from "../dist/response.js";
import { UnreadableReply, decodeResponse, encodeRequest } from "../dist/wire/codec.js";
import { FrameReader } from "../dist/wire/frames.js";
import { fromJSON, toJSON } from "../test/support/wire-json.mjs";

function writeRequest(json) {
  try {
    return encodeRequest(fromJSON("Request", parseJson(json))).toString("hex");
  } catch {
    return "refused";
  }
}

function readFrame(hex) {
  const body = Buffer.from(hex, "hex").subarray(4);
  try {
    readResponse(body);
    return toJSON("Response", decodeResponse(body));
  } catch (error) {
    if (!(error instanceof UnreadableReply)) throw error;
    return error.isFatal ? { fatal: true } : { fatal: false, id: error.id };
  }
}

function cut(hex) {
  const reader = new FrameReader();
  const bodies = [];
  let refused = false;
  try {
    for (const byte of Buffer.from(hex, "hex")) {
      reader.append(Buffer.from([byte]), (body) => bodies.push(body.toString("hex")));
    }
  } catch {
    refused = true;
  }
  return { bodies, partial: reader.isWithinFrame, refused };
}

const answers = {
  request: (rest) => writeRequest(rest.slice(rest.indexOf(" ") + 1)),
  response: (rest) => stringifyJson(readFrame(rest)),
  stream: (rest) => stringifyJson(cut(rest)),
};

for await (const line of createInterface({ input: process.stdin })) {
  const [kind] = line.split(" ", 1);
  process.stdout.write(`${answers[kind](line.slice(kind.length + 1))}\n`);
}

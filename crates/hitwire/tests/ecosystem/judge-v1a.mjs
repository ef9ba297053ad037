// Says of a request in a file whether it is genuine, by the function that the documentation shows.
import { readFileSync } from "node:fs";
import { verified } from "./verify-v1a.mjs";

const { publicKey, headers, body } = JSON.parse(readFileSync(process.argv[2]));
console.log(verified(publicKey, headers, Buffer.from(body)));

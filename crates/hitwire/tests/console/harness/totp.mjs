// A phone: the codes of RFC 6238 from a secret in base32, SHA-1, six digits, steps of 30 seconds.

import { createHmac } from 'node:crypto';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const STEP_S = 30;

export function totp(secret, steps = 0, now = Date.now()) {
    let bits = '';
    for (const letter of secret.replace(/[\s=-]/g, '').toUpperCase()) {
        const value = ALPHABET.indexOf(letter);
        if (value < 0) throw new Error(`${letter} is no letter of base32`);
        bits += value.toString(2).padStart(5, '0');
    }
    const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(Math.floor(now / 1000 / STEP_S) + steps));
    const digest = createHmac('sha1', key).update(counter).digest();
    const offset = digest[19] & 15;
    return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

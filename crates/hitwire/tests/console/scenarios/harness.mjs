// The harness itself: it sees each of what must not happen, on a page made for that, with and without JavaScript.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';

const BAD = `<!doctype html><html lang="en"><head><title>Bad</title></head><body>
<style>body { color: #999; background: #fff; } @media (prefers-color-scheme: dark) { body { color: #fff; background: #fff; } }</style>
<main><h1>Bad</h1><input><p style="width: 600px; background: #eee">wide</p>
<script>console.error('an error'); setTimeout(() => { throw new Error('an exception'); });</script>
<img alt="" src="http://other.example.com/a.png"></main></body></html>`;
const STRICT = `<!doctype html><html lang="en"><head><title>Strict</title></head><body><main><h1>Strict</h1>
<img src="/none" alt="" onerror="alert(1)"><script>alert(1)</script><p>Text</p></main></body></html>`;

const pages = {
    '/bad': [200, {}, BAD],
    '/strict': [200, { 'content-security-policy': "default-src 'none'; script-src 'self'; img-src 'self'" }, STRICT],
};

export default async function play({ open, audit, watch, receivers }) {
    const server = createServer((request, response) => {
        const [status, headers, body] = pages[request.url] ?? [404, {}, 'nothing'];
        response.writeHead(status, { 'content-type': 'text/html', ...headers }).end(body);
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    receivers.servers.push(server);
    const at = `http://127.0.0.1:${server.address().port}`;
    const has = (pattern) => assert.ok(watch.faults.some((fault) => pattern.test(fault)), `${pattern} is not in ${watch.faults.join('\n')}`);
    const finds = (page, ...patterns) =>
        assert.rejects(audit.page(page), (error) => patterns.every((pattern) => (assert.match(error.message, pattern), true)));

    const page = await open();
    await page.goto(`${at}/bad`);
    has(/an error in the console/);
    has(/an exception/);
    has(/a request to another host: http:\/\/other/);
    await finds(page, /light, 1440 px\): color-contrast/, /dark, 390 px\): color-contrast/, /label: /, /it scrolls sideways, 6\d\d px in 390: p/);

    await page.goto(`${at}/strict`);
    has(/Content Security Policy/);
    has(/\/none was answered 404/);
    assert.ok(!watch.faults.some((fault) => /a dialog/.test(fault)), 'the policy holds');

    const still = await open({ javaScript: false });
    await still.goto(`${at}/bad`);
    await finds(still, /it scrolls sideways/);

    assert.throws(() => watch.assertClean(), /the browser saw/);
    watch.faults = [];
    await page.goto('about:blank');
    await still.goto('about:blank');
    await watch.expecting(404, () => page.goto(`${at}/nothing`));
    assert.deepEqual(watch.faults.filter((fault) => !fault.startsWith('a request to another host')), []);
    watch.faults = [];
}

// Endpoints that fail, each in its own way: the delivery log says of each attempt what happened, in words that say what to do.

import assert from 'node:assert/strict';
import { setUp, seen } from '../harness/console.mjs';
import { hits, randomly } from '../harness/events.mjs';

const SECRET = 'a-secret-that-nobody-may-see';

export default async function play({ open, audit, api, world, receivers }) {
    const page = await open();
    await setUp(page, world);
    const { ca: ca_file, strange_ca } = world;
    const answering = (status, headers, body) => receivers.https((_, response) => response.writeHead(status, headers).end(body));
    const kinds = [
        ['nobody listens', { url: await receivers.nobody(), ca_file }, /connection refused/],
        ['no TLS', { url: await receivers.notTls(), ca_file }, /TLS/i],
        ['another CA', { url: await answering(200, {}, ''), ca_file: strange_ca }, /certificate/],
        ['a broken receiver', { url: await answering(500, { 'x-request-id': 'seven-of-nine' }, '<b>NullPointerException</b>'), ca_file }, /500/],
        ['never answers', { url: await receivers.https(() => {}), ca_file, timeout: 1 }, /no answer|timed? ?out|within 1 s/i],
        ['elsewhere', { url: await answering(302, { location: 'https://elsewhere.example.com/' }, ''), ca_file }, /302|redirect/i],
    ];
    const made = [];
    for (const [name, target, says] of kinds) {
        const headers = { 'X-Api-Key': SECRET };
        made.push([await api.integration(name, { ...target, headers }), says]);
    }
    await api.post('/v1/events', hits(randomly(3), 5));
    for (const [integration, says] of made) {
        const failed = await api.attempt(integration.id, () => true, `an attempt of ${integration.name}`);
        await page.goto(`/settings/integrations/${integration.id}/attempts`);
        await seen(page.getByText(says));
        await audit.page(page, `attempts of ${integration.name}`);
        await page.goto(`/settings/integrations/${integration.id}/attempts/${failed.id}`);
        await seen(page.getByText(says));
        const text = await page.locator('main').innerText();
        assert.ok(!text.includes(SECRET), 'secrets are masked');
        assert.ok(!(await page.content()).includes(SECRET), 'secrets are nowhere in the page');
        assert.match(text, /x-api-key/i, 'the names of the headers are shown');
        if (failed.status === 500) {
            assert.ok(text.includes('<b>NullPointerException</b>'), 'the answer is shown as it came');
            assert.match(text, /seven-of-nine/);
        }
        await audit.page(page, `an attempt of ${integration.name}`);
    }
    // From the list of integrations one sees which are not well.
    await page.goto('/settings/integrations');
    for (const [{ name }] of made) await seen(page.getByText(name, { exact: true }));
    await audit.page(page, 'failing integrations');
}

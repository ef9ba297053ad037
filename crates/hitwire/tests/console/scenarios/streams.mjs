// Thirty clicks, with the pages that were left kept for the way back, and ten windows at once: the server has one stream for all of them,
// every window is told what is new, and none waits for a connection.

import assert from 'node:assert/strict';
import { setUp, seen } from '../harness/console.mjs';
import { hits, randomly } from '../harness/events.mjs';
import { until } from '../harness/api.mjs';

const WINDOWS = 10;
const CLICKS = 30;
// The one of a page that is left, and that of the page that follows it.
const STREAMS_MAX = 2;

export default async function play(stage) {
    const { open, api, world, receivers } = stage;
    const streams = async () => {
        const text = await (await fetch(`${world.url}/metrics`, { headers: { authorization: `Bearer ${world.token}` } })).text();
        return Number(/^hitwire_console_streams (\d+)$/m.exec(text)[1]);
    };
    const page = await open();
    await setUp(page, world);
    const target = { url: await receivers.https((_, response) => response.end()), ca_file: world.ca };
    const { id } = await api.integration('SIEM', target);
    await api.post('/v1/events', hits(randomly(1), 30));
    await api.attempt(id, (attempt) => attempt.verdict === 'delivered');

    const places = ['/events', '/dashboard', '/vulnerabilities', `/settings/integrations/${id}`, `/settings/integrations/${id}/attempts`, '/events?kind=hit'];
    let most = 0;
    for (let click = 0; click < CLICKS; click += 1) {
        // A link, as people follow them: what was open stays in the history.
        await page.evaluate((place) => {
            const link = document.createElement('a');
            link.href = place;
            document.body.append(link);
            link.click();
        }, places[click % places.length]);
        await page.waitForURL(`**${places[click % places.length]}`);
        await until('a stream', async () => (await streams()) > 0);
        most = Math.max(most, await streams());
    }
    assert.ok(most <= STREAMS_MAX, `${most} streams after ${CLICKS} clicks`);
    for (let click = 0; click < 5; click += 1) await page.goBack();
    await until('one stream after going back', async () => (await streams()) === 1);

    const windows = [page];
    while (windows.length < WINDOWS) windows.push(await page.context().newPage());
    for (const window of windows) await window.goto('/events?kind=hit');
    await until('one stream for all windows', async () => (await streams()) === 1);
    const told = async (payload) => {
        const [hit] = hits(randomly(2), 1, 0);
        await api.post('/v1/events', { ...hit, request_id: payload, payloads: [payload] });
        for (const window of windows) await seen(window.getByText(payload));
    };
    await told('told to ten windows');
    // The window that has the stream is closed: another one takes it over. Whichever it is, it is among these five.
    for (const window of windows.splice(0, 5)) await window.close();
    await told('told to the other five');
    await until('one stream again', async () => (await streams()) === 1);

    // A window that cannot be seen rests, and catches up.
    const [window] = windows;
    for (const other of windows.splice(1)) await other.close();
    const show = (hidden) => window.evaluate((hidden) => {
        Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
    await show(true);
    await until('no stream', async () => (await streams()) === 0);
    const [hit] = hits(randomly(3), 1, 0);
    await api.post('/v1/events', { ...hit, request_id: 'unseen', payloads: ['came while nobody looked'] });
    await show(false);
    await seen(window.getByText('came while nobody looked'));
    await until('one stream at last', async () => (await streams()) === 1);
}

// A hit arrives while somebody looks: it is on the page within moments, without a reload.

import assert from 'node:assert/strict';
import { setUp, seen } from '../harness/console.mjs';
import { hits, randomly } from '../harness/events.mjs';

export default async function play({ open, audit, api, world }) {
    const page = await open();
    await setUp(page, world);
    await api.post('/v1/events', hits(randomly(1), 30));
    await page.goto('/events');
    // The browser's own zone, until the user chooses one.
    await seen(page.getByText('Times are in Europe/Berlin (UTC+0'));
    let loads = 0;
    page.on('load', () => (loads += 1));
    const payload = `' or 4242=4242-- ${Date.now()}`;
    const [hit] = hits(randomly(2), 1, 0);
    await api.post('/v1/events', { ...hit, payloads: [payload], domain: 'live.example.com' });
    await seen(page.getByText(payload));
    assert.equal(loads, 0, 'the page was not loaded again');
    await audit.page(page, 'events with a live hit');
    await page.getByRole('row').filter({ hasText: payload }).getByRole('link').first().click();
    await page.waitForURL(/\/events\/\d+/);
    await seen(page.getByText('live.example.com'));
    await audit.page(page, 'the detail of a hit');
}

// The page of the API, which needs nobody to sign in.

import assert from 'node:assert/strict';

export default async function play({ open, audit }) {
    const page = await open();
    await page.goto('/docs');
    assert.match(await page.title(), /API/);
    await audit.page(page);
}

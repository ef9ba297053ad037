// An integration's life in the console: added, tried out, changed, disabled, enabled in both ways, deleted.

import assert from 'node:assert/strict';
import { heading, seen, setUp } from '../harness/console.mjs';
import { until } from '../harness/api.mjs';
import { hits, randomly } from '../harness/events.mjs';

export default (stage) => life(stage, true);

// The same with scripts and without them: what a button does may look different, what comes of it is the same.
export async function life(stage, javaScript) {
    const { open, audit, api, watch, world } = stage;
    const page = await open({ javaScript });
    const random = randomly(5);
    const post = (count) => api.post('/v1/events', hits(random, count, 0));
    await setUp(page, world);

    await page.goto('/settings/integrations');
    await audit.page(page, 'integrations, none yet');
    await page.getByRole('link', { name: 'Add a webhook' }).click();
    await seen(heading(page, 'Add webhook integration'));
    assert.match(await page.getByLabel('Name', { exact: true }).inputValue(), /^Webhook integration by Ada Owner, [A-Z][a-z]{2} \d{1,2}$/);
    assert.ok(await page.getByText('No event is ticked').isVisible(), 'that nothing would be sent is said');
    await audit.page(page, 'the empty form');

    // Wrong: said beside the field, and what was typed is kept.
    await page.getByLabel('Name', { exact: true }).fill('SIEM of the browser');
    await page.getByLabel('Webhook URL').fill('ftp://siem.example.com/');
    await page.getByLabel('Hits detected', { exact: true }).check();
    await watch.expecting(422, () => page.getByRole('button', { name: 'Add integration' }).last().click());
    await seen(page.getByRole('heading', { name: 'Not saved yet' }));
    assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'SIEM of the browser');
    assert.equal(await page.getByLabel('Webhook URL').getAttribute('aria-invalid'), 'true');
    assert.ok(await page.getByLabel('Hits detected', { exact: true }).isChecked());
    await audit.page(page, 'the form with an error');

    // Header and CA, tried out before it is stored.
    await page.getByLabel('Webhook URL').fill(`${world.listener.url}hook?key=in-the-url`);
    await openAdvanced(page);
    await addHeader(page, 'X-Api-Key', 'only-for-the-receiver');
    await page.getByRole('group', { name: 'CA certificate' }).getByLabel('Paste it').fill(world.strange_ca);
    await page.getByRole('button', { name: 'Test integration' }).click();
    await seen(page.getByText('Not delivered'));
    await openAdvanced(page);
    await page.getByRole('group', { name: 'CA certificate' }).getByLabel('Paste it').fill(world.listener.ca);
    await page.getByRole('button', { name: 'Test integration' }).click();
    await seen(page.getByText('Delivered', { exact: true }));
    await seen(page.getByLabel('Request', { exact: true }).getByText('[Test message]'));
    await audit.page(page, 'the form with a test');
    await openAdvanced(page);
    await page.getByRole('button', { name: 'Show what will be sent' }).click();
    await seen(page.getByLabel('What will be sent'));
    await audit.page(page, 'the form with a preview');

    await page.getByRole('button', { name: 'Add integration' }).last().click();
    await seen(heading(page, 'Integration added'));
    await seen(page.getByText(/whsec_[A-Za-z0-9+/=]{20,}/));
    await audit.page(page, 'the new signing secret');
    const [{ id }] = await api.integrations();
    await post(3);
    await api.attempt(id, (attempt) => attempt.verdict === 'delivered', 'the delivery');
    await page.getByRole('link', { name: 'Go on to the integration' }).click();
    await seen(heading(page, 'SIEM of the browser'));
    assert.ok(!(await page.content()).match(/whsec_|only-for-the-receiver/), 'the secrets are shown no more');
    await audit.page(page, 'the integration');

    // Edited: what was kept stays, and what would carry secrets elsewhere needs them again.
    await page.getByRole('link', { name: 'Edit' }).first().click();
    await page.getByLabel('Name', { exact: true }).fill('SIEM, renamed');
    await page.getByRole('button', { name: 'Save' }).last().click();
    await seen(heading(page, 'SIEM, renamed'));
    await page.getByRole('link', { name: 'Edit' }).first().click();
    const elsewhere = new URL(`${world.listener.url}hook?key=in-the-url`);
    elsewhere.hostname = 'localhost';
    await page.getByLabel('Webhook URL').fill(elsewhere.href);
    await watch.expecting(422, () => page.getByRole('button', { name: 'Save' }).last().click());
    await seen(page.getByRole('heading', { name: 'Not saved yet' }));
    await openAdvanced(page);
    assert.equal(await page.getByLabel('Value of header 1').getAttribute('aria-invalid'), 'true', 'the value is asked for again');
    await audit.page(page, 'secrets asked for again');
    await page.getByLabel('Value of header 1').fill('only-for-the-receiver');
    await page.getByRole('button', { name: 'Save' }).last().click();
    await seen(heading(page, 'SIEM, renamed'));
    await seen(page.getByText('localhost').first());

    // Tried out from its page.
    await page.getByRole('button', { name: 'Test integration' }).click();
    await seen(page.getByText('Delivered', { exact: true }));
    await audit.page(page, 'the integration with a test');

    // Disabled, enabled from now: what came between is recorded as skipped.
    await page.goto(`/settings/integrations/${id}`);
    await page.getByRole('button', { name: 'Disable' }).click();
    await seen(page.getByRole('button', { name: 'Enable' }));
    await post(1);
    await page.goto(`/settings/integrations/${id}`);
    await page.getByLabel(/what comes from now on/).check();
    await audit.page(page, 'a disabled integration');
    await page.getByRole('button', { name: 'Enable' }).click();
    await seen(page.getByRole('button', { name: 'Disable' }));
    const { lost } = await api.get(`/v2/integration/${id}/lost`);
    assert.deepEqual(lost.map(({ range, reason, events }) => [range, reason, events]), [['skipped', 'enabled_from_now', 1]]);

    // Disabled, enabled with what was missed.
    await page.getByRole('button', { name: 'Disable' }).click();
    await seen(page.getByRole('button', { name: 'Enable' }));
    await post(2);
    await page.goto(`/settings/integrations/${id}`);
    await page.getByLabel(/what was missed \(/).check();
    await page.getByRole('button', { name: 'Enable' }).click();
    await seen(page.getByRole('button', { name: 'Disable' }));
    await post(1);
    await until('the last hit', async () => {
        const { lanes } = await api.get(`/v2/integration/${id}/status`);
        return lanes.every(({ state, lag }) => state === 'caught_up' && lag.events === 0);
    });

    // The list finds it, by state and by name.
    await page.goto('/settings/integrations');
    await seen(page.getByRole('link', { name: /All\s1/ }));
    await page.getByRole('link', { name: /Disabled\s0/ }).click();
    await page.waitForURL(/state=disabled/);
    await seen(page.getByRole('link', { name: /Disabled\s0/ }));
    assert.equal(await page.getByRole('link', { name: 'SIEM, renamed' }).count(), 0);
    await page.getByRole('link', { name: /Enabled\s1/ }).click();
    await page.getByLabel('Search by name').fill('siem');
    await page.getByRole('button', { name: 'Search' }).click();
    await audit.page(page, 'the list of integrations');
    await page.getByRole('link', { name: 'SIEM, renamed' }).click();

    // The secret is replaced, and shown once.
    await page.locator('summary', { hasText: 'Replace the signing secret' }).click();
    await page.getByRole('button', { name: 'Replace' }).click();
    await seen(page.getByText(/whsec_[A-Za-z0-9+/=]{20,}/));
    await audit.page(page, 'the replaced secret');

    // Deleted only by who types its name.
    await page.goto(`/settings/integrations/${id}`);
    await page.getByRole('link', { name: 'Delete' }).click();
    await seen(heading(page, /Delete/));
    await audit.page(page, 'the deletion');
    await page.getByRole('textbox').fill('SIEM');
    await watch.expecting(422, () => page.getByRole('button', { name: /Delete/ }).click());
    assert.equal((await api.integrations()).length, 1);
    await page.getByRole('textbox').fill('SIEM, renamed');
    await page.getByRole('button', { name: /Delete/ }).click();
    await page.waitForURL(/\/settings\/integrations(\?|$)/);
    assert.deepEqual(await api.integrations(), []);
}

export async function openAdvanced(page) {
    const summary = page.locator('summary', { hasText: /advanced settings/i });
    if (!(await summary.evaluate((it) => it.parentElement.open))) await summary.click();
}

export async function addHeader(page, name, value) {
    const rows = page.getByLabel(/^Name of header \d+$/);
    const before = await rows.count();
    // The form begins with an empty row, or gets one.
    if (before === 0 || (await rows.last().inputValue()) !== '') {
        await page.getByRole('button', { name: 'Add header' }).click();
        await page.getByLabel(`Name of header ${before + 1}`).waitFor();
    }
    const number = await rows.count();
    await page.getByLabel(`Name of header ${number}`).fill(name);
    await page.getByLabel(`Value of header ${number}`).fill(value);
}

// A receiver that wants a client certificate and a header: CA pasted, certificate and key uploaded.

import assert from 'node:assert/strict';
import { heading, seen, setUp } from '../harness/console.mjs';
import { hits, randomly } from '../harness/events.mjs';
import { addHeader, openAdvanced } from './integration.mjs';

export default async function play({ open, audit, api, watch, world }) {
    const { nginx } = world;
    const page = await open();
    await setUp(page, world);
    await page.goto('/settings/integrations/add');
    await page.getByLabel('Name', { exact: true }).fill('Behind nginx');
    await page.getByLabel('Webhook URL').fill(nginx.url);
    await page.getByLabel('Hits detected', { exact: true }).check();
    await openAdvanced(page);
    await page.getByRole('group', { name: 'CA certificate' }).getByLabel('Paste it').fill(nginx.ca);
    await page.locator('summary', { hasText: 'Client certificate' }).click();
    const upload = (label, name, text) => page.getByLabel(label).setInputFiles({ name, mimeType: 'application/x-pem-file', buffer: Buffer.from(text) });

    // Without the key it is not possible, and said at its field.
    await upload('or upload a file', 'client.crt', nginx.client_certificate);
    await watch.expecting(422, () => page.getByRole('button', { name: 'Add integration' }).last().click());
    await seen(page.getByRole('heading', { name: 'Not saved yet' }));
    assert.equal(await page.getByLabel('Private key').getAttribute('aria-invalid'), 'true');
    await audit.page(page, 'a certificate without its key');

    // A browser forgets the files of a form that comes back: what was uploaded stands in the form instead.
    await openAdvanced(page);
    await addHeader(page, nginx.header, nginx.value);
    await upload('or upload a key file', 'client.key', nginx.client_key);
    await page.getByRole('button', { name: 'Test integration' }).click();
    await seen(page.getByText('Delivered', { exact: true }));
    await page.getByRole('button', { name: 'Add integration' }).last().click();
    await seen(heading(page, 'Integration added'));
    const [{ id }] = await api.integrations();
    await api.post('/v1/events', hits(randomly(4), 3, 0));
    await api.attempt(id, (attempt) => attempt.verdict === 'delivered', 'the delivery');

    // Shown back in words; the key not at all.
    await page.goto(`/settings/integrations/${id}/edit`);
    await openAdvanced(page);
    await seen(page.getByText('CN=Receiver CA').first());
    assert.match(await page.locator('main').textContent(), /CN=Client CA/);
    assert.ok(!(await page.content()).includes('PRIVATE KEY-----\nM'), 'the key is not sent back');
    await audit.page(page, 'editing with certificates');
}

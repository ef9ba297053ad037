// Everything that others can write into the console, written by an attacker; and what must not come of it on any page that shows it: nothing of
// it runs, nothing becomes part of the page, nothing hides or turns round what stands beside it, and nothing pushes the page out of its window.

import assert from 'node:assert/strict';
import { HOSTILE, INVISIBLE, hostileHits, hostileVulnerabilities } from './events.mjs';
import { OWNER, setUp } from './console.mjs';
import { until } from './api.mjs';

// Names have rules of their own: no control characters, and a length.
const NAMES = Object.entries(HOSTILE).filter(([name]) => name !== 'control');
const NAME_CHARACTERS_MAX = 120;

// Fills the console with hostile text. Gives the window of whoever is signed in, the ids of the integrations, and the events.
export async function fill(stage) {
    const { open, api, world, receivers } = stage;
    const page = await open();
    await setUp(page, world, { ...OWNER, name: `${HOSTILE.markup.slice(0, 60)}\u202e` });

    const body = Object.values(HOSTILE).join('\n');
    const answer = await receivers.https((_, response) => {
        response.writeHead(500, 'Sorry', {
            'content-type': 'text/html',
            'x-markup': '<script>alert(1)</script>',
            'x-long': 'B'.repeat(6_000),
            'x-latin': Buffer.from('\u0080\u009b\u00ad', 'latin1').toString('latin1'),
        });
        response.end(body);
    });
    const ids = [];
    for (const [, text] of NAMES) {
        const name = text.slice(0, NAME_CHARACTERS_MAX);
        const made = await api.integration(name, { url: answer, ca_file: world.ca, headers: { 'X-Key': 'k' } }, ['siem', 'security_issue_high']);
        ids.push(made.id);
        await api.post('/v1/applications', { name });
        await api.post('/v1/tokens', { name, role: 'ingest' });
    }
    for (const [n, [, text]] of NAMES.entries()) {
        await api.post('/v1/users', { email: `user${n}@example.com`, name: text.slice(0, NAME_CHARACTERS_MAX), role: 'analyst' });
    }
    await api.post('/v1/events', hostileHits());
    await api.post('/v1/events', hostileVulnerabilities());
    for (const id of ids) await api.attempt(id, (attempt) => attempt.status === 500, 'a hostile answer');
    const { events } = await api.get('/v1/events?tail=1000&kind=siem,security_issue_high');
    // The pages that show the index say how far it is; it follows within moments.
    await until('the index to have everything', async () => {
        await page.goto('/events');
        return (await page.locator('main').innerText()).includes('hostile');
    });
    return { page, ids, events };
}

// Looks at each of these pages.
export async function visit({ audit, watch }, page, paths) {
    const wrong = [];
    for (const path of paths) {
        await page.goto(path);
        // A script that a page was made to run would run in this time.
        await page.waitForTimeout(100);
        for (const problem of await problems(page)) wrong.push(`${path.slice(0, 80)}: ${problem}`);
        await audit.page(page, path.slice(0, 80)).catch((error) => wrong.push(error.message));
        wrong.push(...watch.faults.splice(0).map((fault) => `${path.slice(0, 80)}: ${fault}`));
    }
    assert.deepEqual(wrong, []);
}

async function problems(page) {
    const found = [];
    if (await page.evaluate(() => window.hostile)) found.push('a script of the attacker has run');
    if (/^hostile/.test(await page.title())) found.push('the title is the attacker\'s');
    for (const [role, name] of [['heading', /^hostile/], ['button', /^hostile/], ['link', /^click$/]]) {
        if (await page.getByRole(role, { name }).count() > 0) found.push(`the attacker has made a ${role}`);
    }
    for (const selector of ['[onerror]', '[onload]', '[onfocus]', '[onclick]', 'main script', '[href^="javascript:" i]', 'main [hx-get="/dashboard"]', 'form[action^="//"]']) {
        if (await page.locator(selector).count() > 0) found.push(`there is an element ${selector}`);
    }
    const text = await page.locator('body').evaluate((body) => body.textContent);
    const invisible = INVISIBLE.exec(text);
    if (invisible) {
        const around = text.slice(Math.max(0, invisible.index - 30), invisible.index + 10);
        found.push(`a character that nobody sees is shown as it is: ${JSON.stringify(around)}`);
    }
    const attributes = await page.evaluate(() => [...document.querySelectorAll('[title], [value], [aria-label], [alt]')].flatMap(
        (element) => ['title', 'aria-label', 'alt'].map((name) => element.getAttribute(name) ?? ''),
    ));
    const hidden = attributes.find((value) => INVISIBLE.test(value));
    if (hidden) found.push(`a character that nobody sees is in an attribute: ${JSON.stringify(hidden.slice(0, 80))}`);
    return found;
}

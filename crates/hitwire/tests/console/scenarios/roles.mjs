// Each role in the console: what the table of roles lets nobody of it do is not offered, and refused when it is asked for all the same.

import assert from 'node:assert/strict';
import { inviteAll, setUp, signIn } from '../harness/console.mjs';
import { pages } from '../harness/pages.mjs';
import { seed } from '../harness/seed.mjs';

const ADMINISTRATORS = ['operator', 'admin'];
const TRACERS = ['operator', 'admin', 'analyst'];
const AUDITORS = ['operator', 'admin', 'read_only'];
const ALL = ['operator', 'admin', 'analyst', 'read_only'];

// Who may open a page.
const OPENS = [
    [/^\/settings\/integrations\/\d+\/(attempts|lost)/, TRACERS],
    [/^\/settings\/integrations/, ADMINISTRATORS],
    [/^\/settings\/tokens/, ADMINISTRATORS],
    [/^\/settings\/(users|activity)/, AUDITORS],
    [/^\/(dashboard|events|vulnerabilities|settings\/(profile|general|sources|applications))/, ALL],
];
// Who may press the buttons of a form: by where it posts to. A form that is not here fails the test, so that each new one is thought about.
const POSTS = [
    [/^\/sign-out/, ALL],
    [/^\/settings\/profile/, ALL],
    [/^\/settings\/general\/(theme|look)/, ALL],
    [/^\/settings\/general/, ['operator']],
    [/^\/settings\/integrations/, ADMINISTRATORS],
    [/^\/settings\/(users|tokens|applications)/, ADMINISTRATORS],
];
const may = (table, path, role) => {
    const row = table.find(([pattern]) => pattern.test(path));
    assert.ok(row, `${path} is in no row of this test: who may?`);
    return row[1].includes(role);
};

// By its attribute: a button of the name `action` hides the property.
const postsTo = (form) => form.evaluate((it) => new URL(it.getAttribute('hx-post') ?? it.getAttribute('action') ?? '', location.href).pathname);

export default async function play(stage) {
    const { open, watch, world } = stage;
    const operator = await open();
    await setUp(operator, world);
    const made = await seed(stage);
    const paths = (await pages(stage, made)).map(([, path]) => path);
    const users = await inviteAll(stage, operator, ['admin', 'analyst', 'read_only']);

    // Every form of every page that the one who may do everything sees.
    const actions = new Set();
    for (const path of paths) {
        await operator.goto(path);
        for (const form of await operator.locator('form[method="post" i], [hx-post]').all()) {
            actions.add(await postsTo(form));
        }
    }
    assert.ok(actions.size >= 10, [...actions].join(' '));
    const wrong = new Set();
    for (const [role, user] of Object.entries(users)) {
        const page = await open();
        await signIn(page, user);
        await page.waitForURL('**/dashboard');
        const csrf = await page.locator('input[name="csrf"]').first().inputValue();
        for (const path of paths) {
            const allowed = may(OPENS, path.split('?')[0], role);
            const answer = await (allowed ? page.goto(path) : watch.expecting(403, () => page.goto(path)));
            assert.equal(answer.status(), allowed ? 200 : 403, `${role} opens ${path}`);
            for (const link of await page.locator('a[href^="/"]').all()) {
                const target = new URL(await link.getAttribute('href'), stage.origin).pathname;
                if (/^\/(settings\/.+|events|vulnerabilities|dashboard)/.test(target)) {
                    if (!may(OPENS, target, role)) wrong.add(`${path} offers ${role} a link to ${target}`);
                }
            }
            for (const form of await page.locator('form[method="post" i]').all()) {
                const action = await postsTo(form);
                if (!may(POSTS, action, role)) wrong.add(`${path} offers ${role} a form for ${action}`);
            }
        }
        for (const action of actions) {
            if (may(POSTS, action, role)) continue;
            const answer = await page.request.post(action, { form: { csrf }, headers: { origin: stage.origin }, maxRedirects: 0 });
            if (answer.status() !== 403) wrong.add(`${role} posts to ${action} and is answered ${answer.status()}`);
        }
    }
    assert.deepEqual([...wrong], []);
}

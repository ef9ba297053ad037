// What a user of the console does in many scenarios.

import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

export const OWNER = { name: 'Ada Owner', email: 'ada@example.com', password: 'correct horse battery staple' };

// The set-up link, from the file that only the data directory's owner may read.
export async function setUpLink(world) {
    const file = join(world.data, 'set-up-link');
    const { mode } = await stat(file);
    assert.equal(mode & 0o777, 0o600, 'nobody else may read the set-up link');
    const link = (await readFile(file, 'utf8')).trim();
    assert.ok(link.startsWith(`${world.url}/set-up/`), link);
    return link;
}

// Makes the first account by the link; the window is then signed in.
export async function setUp(page, world, owner = OWNER) {
    await page.goto(await setUpLink(world));
    await fillAccount(page, owner);
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.waitForURL('**/dashboard');
}

export async function fillAccount(page, { name, email, password }) {
    if (name !== undefined) await page.getByLabel('Name', { exact: true }).fill(name);
    if (email !== undefined) await page.getByLabel('E-mail', { exact: true }).fill(email);
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByLabel('Password again').fill(password);
}

export async function signIn(page, { email, password }) {
    if (!page.url().includes('/sign-in')) await page.goto('/sign-in');
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

export async function signOut(page) {
    await page.getByRole('button', { name: 'Sign out', exact: true }).first().click();
    await page.waitForURL('**/sign-in');
}

export const heading = (page, name) => page.getByRole('heading', { level: 1, name });

// Waits until it can be seen.
export const seen = (locator) => locator.filter({ visible: true }).first().waitFor();

const TITLES = { operator: /^Operator/, admin: /^Administrator/, analyst: /^Analyst/, read_only: /^Read only/ };

// Makes a user of each role, as an administrator does: each gets a link, opens it and chooses a password. Answers them by role.
export async function inviteAll({ open, audit }, page, roles) {
    const users = {};
    for (const role of roles) {
        const user = { name: `${role} person`, email: `${role}@example.com`, password: `a password of ${role}` };
        await page.goto('/settings/users/add');
        await page.getByLabel('E-mail').fill(user.email);
        await page.getByLabel('Name', { exact: true }).fill(user.name);
        await page.getByRole('radio', { name: TITLES[role] }).check();
        await page.getByRole('button', { name: 'Add user' }).click();
        await seen(heading(page, 'Sign-in link'));
        const link = (await page.getByRole('status').or(page.locator('output')).last().innerText()).trim();
        const theirs = await open();
        await theirs.goto(link);
        await fillAccount(theirs, { password: user.password });
        if (role === roles[0]) await audit.page(theirs, 'choosing a password');
        await theirs.getByRole('button', { name: 'Save and sign in' }).click();
        await theirs.waitForURL('**/dashboard');
        await theirs.context().close();
        users[role] = user;
    }
    return users;
}

// The first start: the link makes the first account, once; then signing in and out.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { OWNER, fillAccount, heading, seen, setUpLink, signIn, signOut } from '../harness/console.mjs';

export default async function play({ open, audit, watch, world }) {
    const page = await open();
    const link = await setUpLink(world);

    await watch.expecting(410, () => page.goto('/set-up/not-a-link'));
    await seen(heading(page, 'This link is not good any more'));
    await audit.page(page, 'a wrong set-up link');

    await page.goto(link);
    await audit.page(page, 'set-up');
    await page.getByLabel('Name', { exact: true }).fill(OWNER.name);
    await page.getByLabel('E-mail').fill(OWNER.email);
    await page.getByLabel('Password', { exact: true }).fill(OWNER.password);
    await page.getByLabel('Password again').fill('something else altogether');
    await watch.expecting(422, () => page.getByRole('button', { name: 'Create account' }).click());
    await seen(page.getByText('The two passwords differ.'));
    assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), OWNER.name, 'what was typed is kept');
    assert.equal(await page.getByLabel('Password', { exact: true }).inputValue(), '', 'a password is never sent back');
    await audit.page(page, 'set-up with an error');
    await fillAccount(page, OWNER);
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.waitForURL('**/dashboard');
    await seen(heading(page, 'Dashboard'));
    assert.ok(!existsSync(join(world.data, 'set-up-link')), 'the used link is gone');

    const other = await open();
    await watch.expecting(410, () => other.goto(link));
    await seen(heading(other, 'This link is not good any more'));

    const cookies = (await page.context().cookies()).filter((cookie) => cookie.httpOnly);
    assert.ok(cookies.length > 0, 'the session is a cookie that scripts cannot read');
    for (const cookie of cookies) assert.match(cookie.sameSite, /Lax|Strict/);

    await signOut(page);
    await page.goto('/dashboard?since=1h');
    await page.waitForURL('**/sign-in?next=*');
    await audit.page(page, 'sign-in');
    await watch.expecting(422, () => watch.expecting(401, () => signIn(page, { ...OWNER, password: 'not the password at all' })));
    await seen(page.getByRole('alert'));
    await audit.page(page, 'sign-in refused');
    await signIn(page, OWNER);
    await page.waitForURL('**/dashboard?since=1h');
}

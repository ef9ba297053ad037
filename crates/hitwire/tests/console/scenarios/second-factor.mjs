// A second factor: turned on with an app's code, asked for at the next sign-in; a recovery code in its place, once.

import assert from 'node:assert/strict';
import { OWNER, heading, seen, setUp, signIn, signOut } from '../harness/console.mjs';
import { totp } from '../harness/totp.mjs';

export default async function play({ open, audit, watch, world }) {
    const page = await open();
    await setUp(page, world);
    await page.goto('/settings/profile');
    await audit.page(page, 'profile');
    await page.getByRole('link', { name: 'Turn on' }).click();
    await seen(page.getByRole('img', { name: /QR code/ }));
    await audit.page(page, 'the offer of a second factor');
    const secret = (await page.locator('code').first().innerText()).trim();
    const turnOn = async (code) => {
        await page.getByLabel('Code', { exact: true }).fill(code);
        await page.getByLabel(/Your password/).fill(OWNER.password);
        await page.getByRole('button', { name: 'Turn on' }).click();
    };
    const right = totp(secret);
    await watch.expecting(422, () => turnOn(right === '000000' ? '111111' : '000000'));
    await seen(page.getByText(/code/i).locator('visible=true'));
    assert.equal((await page.locator('code').first().innerText()).trim(), secret, 'the secret stays the same after a slip');
    await turnOn(totp(secret));
    await seen(heading(page, 'Recovery codes'));
    await audit.page(page, 'recovery codes');
    const codes = (await page.locator('pre').innerText()).trim().split(/\n/).map((line) => line.trim());
    assert.ok(codes.length >= 8 && new Set(codes).size === codes.length, codes.join(' '));
    await page.getByRole('link', { name: 'I have kept them' }).click();
    await seen(heading(page, 'Profile'));

    await signOut(page);
    await signIn(page, OWNER);
    await seen(heading(page, 'Enter the code'));
    await audit.page(page, 'the second step of signing in');
    assert.equal((await page.request.get('/dashboard', { maxRedirects: 0 })).status(), 303, 'half signed in is not signed in');
    const enter = async (code) => {
        await page.getByLabel('Code', { exact: true }).fill(code);
        await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    };
    await watch.expecting(422, () => watch.expecting(401, () => enter('not-a-code')));
    await seen(page.getByRole('alert'));
    // The code that turned it on is used up; the next step's is good already.
    await enter(totp(secret, 1));
    await page.waitForURL('**/dashboard');

    await signOut(page);
    await signIn(page, OWNER);
    await enter(codes[0]);
    await page.waitForURL('**/dashboard');
    await signOut(page);
    await signIn(page, OWNER);
    await watch.expecting(422, () => watch.expecting(401, () => enter(codes[0])));
    await seen(page.getByRole('alert'));
    await enter(codes[1]);
    await page.waitForURL('**/dashboard');

    // Signing out everywhere ends a session in another browser.
    const other = await open();
    await signIn(other, OWNER);
    await other.getByLabel('Code', { exact: true }).fill(codes[2]);
    await other.getByRole('button', { name: 'Sign in', exact: true }).click();
    await other.waitForURL('**/dashboard');
    await page.goto('/settings/profile');
    await page.getByRole('button', { name: 'Sign out everywhere' }).click();
    await other.goto('/dashboard');
    await other.waitForURL('**/sign-in?next=*');
}

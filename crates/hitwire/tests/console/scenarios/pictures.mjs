// Pictures of every page, wide and narrow, light and dark, for people to look at.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { OWNER, fillAccount, setUpLink, signIn } from '../harness/console.mjs';
import { pages } from '../harness/pages.mjs';
import { seed } from '../harness/seed.mjs';
import { NARROW, WIDE } from '../harness/stage.mjs';

export default async function play(stage) {
    const folder = stage.world.pictures;
    await mkdir(folder, { recursive: true });
    const page = await stage.open();
    const take = async (name, path) => {
        for (const scheme of ['light', 'dark']) {
            for (const viewport of [WIDE, NARROW]) {
                await page.setViewportSize(viewport);
                await page.emulateMedia({ colorScheme: scheme });
                // Anew each time: a chart is drawn for the window that it finds.
                await page.goto(path);
                // What fetches the rest of itself has the time to do so; a stream of events never ends.
                await page.waitForTimeout(250);
                await page.screenshot({ path: join(folder, `${name}-${viewport.width}-${scheme}.png`), fullPage: true });
            }
        }
    };
    const link = await setUpLink(stage.world);
    await take('set-up', link);
    await page.goto(link);
    await fillAccount(page, OWNER);
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.waitForURL('**/dashboard');
    for (const path of ['/events', '/vulnerabilities', '/settings/integrations']) await take(`empty${path.replaceAll('/', '-')}`, path);
    const made = await seed(stage);
    for (const [name, path] of await pages(stage, made)) await take(name, path);
    await page.context().clearCookies();
    await take('sign-in', '/sign-in');
    await signIn(page, OWNER);
    await page.waitForURL('**/dashboard');
}

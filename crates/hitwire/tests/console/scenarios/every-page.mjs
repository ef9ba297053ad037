// Every page with a day's data, and each empty one before: as axe and a phone see it.

import { setUp } from '../harness/console.mjs';
import { pages } from '../harness/pages.mjs';
import { seed } from '../harness/seed.mjs';

export default async function play(stage) {
    const { open, audit, watch, world } = stage;
    const page = await open();
    await setUp(page, world);
    const wrong = [];
    const look = async (name, path) => {
        await page.goto(path);
        await audit.page(page, name).catch((error) => wrong.push(error.message));
        wrong.push(...watch.faults.splice(0));
    };
    for (const path of ['/dashboard', '/events', '/vulnerabilities', '/settings/applications', '/settings/users', '/settings/tokens']) {
        await look(`${path}, empty`, path);
    }
    const made = await seed(stage);
    for (const [name, path] of await pages(stage, made)) await look(name, path);
    await watch.expecting(404, () => page.goto('/no-such-page'));
    await audit.page(page, 'no such page');
    if (wrong.length > 0) throw new Error(wrong.join('\n'));
}

// Plays one scenario in Chromium: `node run.mjs NAME WORLD`, where WORLD is a JSON file that the Rust side wrote: the server's address and
// token, receivers, certificates.
//
// The cast:
//
// - scenarios/NAME.mjs: what a user does, and what must then be seen. Its default export gets a Stage.
// - Stage (stage.mjs): opens windows of the browser, each watched.
// - Watch (watch.mjs): what must never happen, in any scenario: an error in the console, a blocked script, a request elsewhere.
// - audit (audit.mjs): axe in light and dark, and nothing that sticks out of a narrow window.
// - Api, totp, receivers: the other hands that a scenario needs.
//
// Ends with 0 if all is well. Otherwise it prints what was wrong and what the page showed, and keeps a picture of it.

import { readFile } from 'node:fs/promises';
import { Stage } from './stage.mjs';

// Only against hanging: a little less than the Rust side waits, so that what hangs is told with what was seen.
const DEADLINE_S = 7 * 60;

const [name, worldFile] = process.argv.slice(2);
const world = JSON.parse(await readFile(worldFile, 'utf8'));
const { default: play } = await import(`../scenarios/${name}.mjs`);
const stage = await Stage.set(name, world);
try {
    await within(DEADLINE_S, play(stage));
    stage.watch.assertClean();
} catch (error) {
    process.exitCode = 1;
    console.error(`${name}: ${error.stack ?? error}`);
    console.error(await stage.lastSeen());
} finally {
    await stage.strike();
}

function within(seconds, playing) {
    let timer;
    const end = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`it was not over after ${seconds} s`)), seconds * 1000);
    });
    return Promise.race([playing, end]).finally(() => clearTimeout(timer));
}

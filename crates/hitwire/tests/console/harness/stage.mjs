// A browser for one scenario, and the windows that it opens.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium, place } from './tools.mjs';
import { Api } from './api.mjs';
import { Watch } from './watch.mjs';
import { Audit } from './audit.mjs';
import { Receivers } from './receivers.mjs';

// Nothing takes as long unless it hangs or is not there.
const PATIENCE_MS = 180_000;
export const WIDE = { width: 1440, height: 900 };
export const NARROW = { width: 390, height: 844 };

export class Stage {
    static async set(name, world) {
        const browser = await chromium.launch({
            executablePath: process.env.HITWIRE_CHROMIUM ?? '/usr/bin/chromium',
            // Playwright turns it off; people have it on, and a page that is kept for the way back keeps its connections if it can.
            ignoreDefaultArgs: ['--disable-back-forward-cache'],
            // Root has no sandbox in containers. Names resolve to nothing: a page that asks for another host cannot get there either.
            args: ['--no-sandbox', '--disable-gpu', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
        });
        return new Stage(name, world, browser);
    }

    constructor(name, world, browser) {
        Object.assign(this, { name, world, browser });
        this.origin = world.url;
        this.watch = new Watch(world.url);
        this.audit = new Audit(this);
        this.open = this.open.bind(this);
        this.api = new Api(world.url, world.token);
        this.receivers = new Receivers(world);
        this.pages = [];
        this.withoutScripts = new Set();
    }

    // A window with cookies of its own. Without JavaScript it is what a user with scripts off has.
    async open({ javaScript = true, scheme = 'light', viewport = WIDE, ...more } = {}) {
        const context = await this.browser.newContext({
            baseURL: this.origin,
            javaScriptEnabled: javaScript,
            colorScheme: scheme,
            viewport,
            reducedMotion: 'reduce',
            locale: 'en-GB',
            timezoneId: 'Europe/Berlin',
            ...more,
        });
        context.setDefaultTimeout(PATIENCE_MS);
        this.watch.over(context);
        const page = await context.newPage();
        this.pages.push(page);
        if (!javaScript) this.withoutScripts.add(page);
        return page;
    }

    // What the windows showed at the end: in words, and as pictures beside the packages.
    async lastSeen() {
        const folder = join(place, 'failed');
        await mkdir(folder, { recursive: true });
        const seen = [...this.watch.faults];
        for (const [number, page] of this.pages.entries()) {
            if (page.isClosed()) continue;
            const picture = join(folder, `${this.name}-${number + 1}.png`);
            await page.screenshot({ path: picture, fullPage: true }).catch(() => {});
            const words = await page.locator('body').ariaSnapshot({ timeout: 2_000 }).catch((error) => `${error}`);
            seen.push(`window ${number + 1} at ${page.url()}, picture in ${picture}:`, words.slice(0, 12_000));
        }
        return seen.join('\n');
    }

    async strike() {
        await this.receivers.close();
        await this.browser.close();
    }
}

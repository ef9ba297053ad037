// Every page as it must be for everybody: no finding of axe in light or dark, wide or narrow, and nothing that makes a phone scroll sideways.

import { axeSource } from './tools.mjs';
import { NARROW } from './stage.mjs';

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

export class Audit {
    constructor(stage) {
        this.stage = stage;
        this.sessions = new Map();
    }

    // Fails with each finding, where it is and what would help. Leaves the window as it was.
    async page(page, what = new URL(page.url()).pathname) {
        const wide = page.viewportSize();
        const findings = [];
        for (const [scheme, viewport] of [['dark', wide], ['dark', NARROW], ['light', NARROW], ['light', wide]]) {
            await page.setViewportSize(viewport);
            await page.emulateMedia({ colorScheme: scheme });
            const at = `${what} (${scheme}, ${viewport.width} px)`;
            // With scripts off axe cannot run; the page is the same one, and axe sees it elsewhere with scripts on.
            if (!this.stage.withoutScripts.has(page)) {
                findings.push(...(await this.#axe(page)).map((finding) => `${at}: ${finding}`));
            }
            if (scheme === 'dark') {
                findings.push(...(await this.#sticksOut(page)).map((finding) => `${at}: ${finding}`));
            }
        }
        if (findings.length > 0) throw new Error(`what an audit of the page found:\n${findings.join('\n')}`);
        this.stage.watch.assertClean();
    }

    // By the protocol of the developer tools, which the page's content security policy does not bind.
    async #axe(page) {
        let session = this.sessions.get(page);
        if (!session) this.sessions.set(page, (session = await page.context().newCDPSession(page)));
        const evaluate = async (expression) => {
            const { result, exceptionDetails } = await session.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
            if (exceptionDetails) throw new Error(`axe: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
            return result.value;
        };
        if (await evaluate('typeof axe') === 'undefined') await evaluate(axeSource);
        const options = JSON.stringify({ runOnly: { type: 'tag', values: TAGS }, resultTypes: ['violations'] });
        const { violations } = await evaluate(`axe.run(document, ${options})`);
        return violations.flatMap(({ id, help, nodes }) =>
            nodes.slice(0, 5).map((node) => `${id}: ${help}: ${node.target.join(' ')}: ${node.failureSummary.replace(/\s+/g, ' ')}`),
        );
    }

    async #sticksOut(page) {
        return page.evaluate(() => {
            const root = document.documentElement;
            if (root.scrollWidth <= root.clientWidth) return [];
            const clipped = (element) => {
                for (let up = element.parentElement; up; up = up.parentElement) {
                    if (up !== document.body && up !== root && getComputedStyle(up).overflowX !== 'visible') return true;
                }
                return false;
            };
            const wide = [...document.body.querySelectorAll('*')].filter(
                (element) => element.getBoundingClientRect().right > root.clientWidth + 1 && !clipped(element),
            );
            const names = wide.slice(0, 8).map((element) => `${element.tagName.toLowerCase()}.${element.className} ${JSON.stringify((element.textContent ?? '').trim().slice(0, 40))}`);
            return [`it scrolls sideways, ${root.scrollWidth} px in ${root.clientWidth}: ${names.join('; ')}`];
        });
    }
}

// What an attacker wrote, in lists and pages of events.

import { HOSTILE } from '../harness/events.mjs';
import { fill, visit } from '../harness/hostile.mjs';

export default async function play(stage) {
    const { page, events } = await fill(stage);
    const hits = events.filter((event) => event.kind === 'siem');
    const issue = events.find((event) => event.kind !== 'siem');
    await visit(stage, page, [
        '/dashboard',
        '/events',
        ...hits.map((event) => `/events/${event.seq}`),
        `/events/${issue.seq}`,
        '/vulnerabilities',
        `/events?q=${encodeURIComponent(HOSTILE.markup)}`,
    ]);
}

// What an attacker wrote, as names of users, tokens and applications, and in the activity log.

import { fill, visit } from '../harness/hostile.mjs';

export default async function play(stage) {
    const { page } = await fill(stage);
    await visit(stage, page, ['/settings/applications', '/settings/users', '/settings/tokens', '/settings/activity']);
}

// What an attacker wrote, as names and in the answers of receivers, on pages of integrations.

import { HOSTILE } from '../harness/events.mjs';
import { fill, visit } from '../harness/hostile.mjs';

export default async function play(stage) {
    const { page, ids } = await fill(stage);
    const { attempts } = await stage.api.get(`/v2/integration/${ids[0]}/attempts?limit=1`);
    await visit(stage, page, [
        '/settings/integrations',
        ...ids.map((id) => `/settings/integrations/${id}`),
        `/settings/integrations/${ids[0]}/edit`,
        `/settings/integrations/${ids[0]}/delete`,
        `/settings/integrations/${ids[0]}/attempts`,
        `/settings/integrations/${ids[0]}/attempts/${attempts[0].id}`,
        `/settings/integrations?q=${encodeURIComponent(HOSTILE.script)}`,
    ]);
}

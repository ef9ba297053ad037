// Every page of the console that somebody who is signed in can open, by a name for people and for files.

// `made`: the integrations of seed.mjs.
export async function pages({ api }, made) {
    const newest = async (id) => (await api.get(`/v2/integration/${id}/attempts?limit=1`)).attempts[0].id;
    const { events } = await api.get('/v1/events?tail=1&kind=siem');
    const integration = (which) => `/settings/integrations/${made[which].id}`;
    return [
        ['dashboard', '/dashboard'],
        ['events', '/events'],
        ['event', `/events/${events[0].seq}`],
        ['vulnerabilities', '/vulnerabilities'],
        ['integrations', '/settings/integrations'],
        ['integrations-disabled', '/settings/integrations?state=disabled'],
        ['integration-add', '/settings/integrations/add'],
        ['integration', integration('siem')],
        ['integration-failing', integration('broken')],
        ['integration-disabled', integration('disabled')],
        ['integration-edit', `${integration('filtered')}/edit`],
        ['integration-delete', `${integration('siem')}/delete`],
        ['attempts', `${integration('siem')}/attempts`],
        ['attempts-failing', `${integration('broken')}/attempts`],
        ['attempt', `${integration('siem')}/attempts/${await newest(made.siem.id)}`],
        ['attempt-failed', `${integration('broken')}/attempts/${await newest(made.broken.id)}`],
        ['profile', '/settings/profile'],
        ['general', '/settings/general'],
        ['sources', '/settings/sources'],
        ['applications', '/settings/applications'],
        ['users', '/settings/users'],
        ['tokens', '/settings/tokens'],
        ['activity', '/settings/activity'],
    ];
}

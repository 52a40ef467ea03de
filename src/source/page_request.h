/* page_request.h - what the request of one page says beside what its scope says.
 * Invariant: as in paging.h. May call: base/, spec.h, paging.h.
 */
#ifndef LOCHAN_SOURCE_PAGE_REQUEST_H
#define LOCHAN_SOURCE_PAGE_REQUEST_H

#include "source/spec.h"

/* Values of {limit}, {offset}, {page} and {cursor}, and the parameters that bear them. Borrows from
 * the pager and itself. */
typedef struct lochan_pager_ask {
    lochan_source_value values[2];
    size_t n_values;
    lochan_source_pair params[2];
    size_t n_params;
    char limit[24], place[24];
} lochan_pager_ask;

void lochan_pager__ask(const lochan_pager *pager, lochan_pager_ask *ask);
/* Kind link: puts the url that the last answer named into a request built for the scope.
 * UNSUPPORTED if it leads to another host, PAGE if it is no url. */
lochan_status lochan_pager__follow(const lochan_pager *pager, const lochan_source_spec *spec,
                                   lochan_source_request *request, lochan_error *err);

#endif

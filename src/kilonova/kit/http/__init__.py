"""HTTP for every OpenStack-shaped service: endpoints, microversions, schemas, errors, paging, serving."""

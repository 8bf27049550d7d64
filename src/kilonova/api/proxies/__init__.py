"""What the Compute API passed on to other services, up to the versions at which clients had to go there themselves."""

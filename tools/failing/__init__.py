"""What tools/failure.py is made of: services that are made to fail, load, and the truth that is compared afterwards."""

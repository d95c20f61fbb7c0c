# The sample; etc/local.conf is quickstart's and holds a secret.
exampledir = $(docdir)/examples
dist_example_DATA = %D%/taciturn.conf

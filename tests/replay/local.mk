# Plays every story (*.turn) beside it.
EXTRA_DIST += \
	%D%/README \
	%D%/channel-rebinding.turn \
	%D%/deletion.turn \
	%D%/denied-peers.turn \
	%D%/dual-allocation.turn \
	%D%/dual-half-deleted.turn \
	%D%/expired-credential-goes-on.turn \
	%D%/half-an-allocation.turn \
	%D%/nonce-staleness.turn \
	%D%/permission-outlived-by-channel.turn \
	%D%/quota.turn \
	%D%/refresh.turn \
	%D%/reserved-port.turn \
	%D%/retransmission.turn \
	%D%/strangers.turn \
	%D%/strict-expiry.turn \
	%D%/two-clients-one-relay.turn

%C%_run_SOURCES = %D%/run.c %D%/story.c %D%/story.h

if HAVE_CMOCKA
check_PROGRAMS += %D%/run
endif

# libFuzzer targets, built with --enable-fuzz. <folder>.c or <folder>_<what>.c is for src/<folder>/; its
# seeds are in corpus/<folder>/, its words in <folder>.dict.
fuzz_programs = \
	%D%/admin \
	%D%/auth_token \
	%D%/conf \
	%D%/net_hello \
	%D%/net_proxyproto \
	%D%/stun_decode \
	%D%/stun_frame \
	%D%/turn

EXTRA_DIST += %D%/corpus %D%/admin.c %D%/admin.dict %D%/auth_token.c %D%/conf.c %D%/net.dict %D%/net_hello.c %D%/net_proxyproto.c %D%/seeds-stun %D%/stun.dict \
	%D%/stun_decode.c %D%/stun_frame.c %D%/turn.c

if FUZZ
noinst_PROGRAMS += $(fuzz_programs)
endif

%C%_admin_LDFLAGS = $(AM_LDFLAGS) $(TT_FUZZ_LDFLAGS)
%C%_auth_token_LDFLAGS = $(AM_LDFLAGS) $(TT_FUZZ_LDFLAGS)
%C%_conf_LDFLAGS = $(AM_LDFLAGS) $(TT_FUZZ_LDFLAGS)
%C%_net_hello_LDFLAGS = $(AM_LDFLAGS) $(TT_FUZZ_LDFLAGS)
%C%_net_proxyproto_LDFLAGS = $(AM_LDFLAGS) $(TT_FUZZ_LDFLAGS)
%C%_stun_decode_LDFLAGS = $(AM_LDFLAGS) $(TT_FUZZ_LDFLAGS)
%C%_stun_frame_LDFLAGS = $(AM_LDFLAGS) $(TT_FUZZ_LDFLAGS)
%C%_turn_LDFLAGS = $(AM_LDFLAGS) $(TT_FUZZ_LDFLAGS)

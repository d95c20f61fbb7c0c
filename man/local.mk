dist_man_MANS += %D%/taciturn.8 %D%/taciturn.conf.5
